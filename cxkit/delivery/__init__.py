"""From the queue to every exporter, without losing or hiding anything.

``spool`` files of records, one directory per process; ``cursor`` how far each exporter has come
in one of them, and what became of what lies before; ``lane`` one exporter's way through all of
them; ``retry`` when to try again; ``dead`` what was refused for ever; ``account`` the sum;
``engine`` the threads.
"""
