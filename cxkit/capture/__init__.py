"""From a call in the app to immutable, lawful bytes in a queue, on the caller's thread.

``scope`` who and in which circumstances; ``gate`` what may be kept of it; ``scan``, ``sanitise``
and ``redact`` what the properties may hold; ``stamp`` when and under which id; ``intake`` the
walk through all of them.
"""
