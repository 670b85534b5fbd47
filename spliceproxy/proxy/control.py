"""What master and worker say to one another over a socket pair, a byte a message.

Orders go this way and not by signals: a terminal or a service manager sends its signals to the
whole process group, so a worker would count one order twice, and a second one means "at once".
A worker whose master is gone reads the end of the stream, and drains.
"""

READY = b"r"
"""Worker to master: accepting."""

DRAIN = b"d"
"""Master to worker: stop accepting, let connections finish, then exit."""

STOP = b"s"
"""Master to worker: reset everything and exit."""
