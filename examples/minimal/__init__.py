"""The first app of each framework's own tutorial, with the one line that makes it know its visitors.

Take the lines with ``CXMiddleware`` or ``CXFlask`` out, and it is the tutorial's again.
"""
