"""How a parent sees that its child has ended, also where a sandbox refuses pidfd_open(2)."""

import os
import socket

from spliceproxy.kernel.refusals import is_allowed


class ChildEnd:
    """A descriptor that poll(2) reports as soon as a child has ended; made before the fork.

    It is a pidfd, or else one end of a socket pair whose other end only the child has: the kernel
    closes that when the child ends, however it does.
    """

    def __init__(self) -> None:
        """Get ready for a fork.

        Raises:
            OSError: there are no descriptors.
        """
        self.fd = -1
        self._childs: socket.socket | None = None
        if not is_allowed("pidfd_open"):
            ours, self._childs = socket.socketpair()
            self.fd = ours.detach()

    def stay_in_child(self) -> None:
        """In the child: keep the other end until the process is over."""
        if self._childs is not None:
            os.close(self.fd)
            self._childs.detach()

    def watch(self, pid: int) -> None:
        """In the parent, after the fork.

        Raises:
            OSError: as pidfd_open(2); the child is not watched.
        """
        if self._childs is None:
            self.fd = os.pidfd_open(pid)
        else:
            self._childs.close()
            self._childs = None

    def close(self) -> None:
        """Look no more."""
        if self._childs is not None:
            self._childs.close()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
