"""A TCP proxy for Linux that moves bytes from socket to socket inside the kernel."""

__version__ = "0.1.0"
