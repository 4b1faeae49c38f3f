"""From the queue to every exporter, without losing or hiding anything.

``segment`` a file of records, and ``walk`` the way through it, damaged or not; ``spool`` the
segments of one process, and ``writer`` the one way into it; ``cursor`` how far each exporter has come
in one of them, and what became of what lies before; ``shelf`` the spools a process looks after, its
own and adopted ones, and ``adoption`` how a spool gets another owner; ``lane`` one exporter's way
through all of them; ``retry`` when to try again; ``dead`` what was refused for ever, ``removal`` how
it leaves, ``expiry`` when, and ``returns`` how it comes back; ``account`` the sum, and ``backlog`` what
waits; ``erasure`` how records of somebody are overwritten, ``kept`` how all of theirs is found, and
``receipts`` what exporters made of it; ``engine`` the threads, ``lanes`` and ``housekeeping`` what they
do. ``files``, ``forks`` and ``clock`` are what they stand on.
"""
