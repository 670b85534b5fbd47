"""What Linux does for us: system calls, pipes and their pool, socket options, limits, rights.

The only room that makes raw system calls on the data path. It knows descriptors, sizes and
errnos; it never sees a route, a backend or a log. Tested by tests/kernel.
"""
