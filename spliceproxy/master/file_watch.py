"""Noticing that files have changed: by a process of its own, since a disk can hang.

Asking for the state of each file every two seconds finds whatever is renamed, linked or written
there, on any file system. inotify(7) needs a descriptor's watch for each directory on the way of
each link, and sees nothing of what others do on a network's.
"""

import signal
import socket
import time
from collections.abc import Callable, Mapping

import structlog

from spliceproxy.kernel.file_state import Signature, signature_of
from spliceproxy.master.child import Child, fork_child

_INTERVAL_S = 2.0
_AGAIN_S = 60.0
_DEATH_S = 0.5
_MOST_AT_ONCE = 64


class FileWatch:
    """Watches the files of the configuration in effect."""

    def __init__(self, forget: Callable[[], None], interval_s: float = _INTERVAL_S) -> None:
        """`forget` is called in the process, to close what is the master's."""
        self._forget = forget
        self._interval_s = interval_s
        self._known: dict[str, Signature] = {}
        self._child: Child | None = None
        self.next_deadline_s: float | None = None
        """When another process is to be started, as one could not be, or was lost."""

    def watch(self, known: Mapping[str, Signature]) -> None:
        """Watch these from now on, by what they were like when they were read."""
        self.stop()
        self._known = dict(known)
        self._start()

    def _start(self) -> None:
        self.next_deadline_s = None
        if not self._known:
            return
        try:
            self._child = fork_child(0, self._look, socket.SOCK_STREAM)
        except OSError as error:
            self._lose(str(error))
        else:
            self._child.orders.setblocking(False)

    def _look(self, line: socket.socket) -> int:
        """Be the process: send a byte when something has changed, and has settled."""
        self._forget()
        line.settimeout(self._interval_s)
        known = seen = self._known
        while True:
            try:
                line.recv(1)
            except TimeoutError:
                now = {path: signature_of(path) for path in known}
                # What is renewed is renewed bit by bit: a certificate, then its key.
                if now == seen and now != known:
                    line.sendall(b"!")
                    known = now
                seen = now
            else:
                return 0  # the master is gone

    def descriptors(self) -> list[int]:
        """What to poll for."""
        return [] if self._child is None else [self._child.orders.fileno()]

    def tend(self) -> bool:
        """Return whether something has changed since the last time."""
        if self.next_deadline_s is not None and time.monotonic() >= self.next_deadline_s:
            self._start()
        if self._child is None:
            return False
        try:
            changes = self._child.orders.recv(_MOST_AT_ONCE)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            changes = b""
        if not changes:
            status, self._child = self._child.reap(), None
            self._lose(f"its process has ended with status {status}")
        return bool(changes)

    def _lose(self, why: str) -> None:
        structlog.get_logger().warning("file_watch_lost", why=why, again_in_s=_AGAIN_S)
        self.next_deadline_s = time.monotonic() + _AGAIN_S

    def forget(self) -> None:
        """In another child: close what stands for the process."""
        if self._child is not None:
            self._child.forget()

    def stop(self) -> None:
        """Watch nothing. A process that a disk holds up is left to whoever inherits it."""
        child, self._child = self._child, None
        self.next_deadline_s = None
        if child is None:
            return
        child.send(signal.SIGKILL)
        if child.has_ended(_DEATH_S):
            child.reap()
        else:
            child.forget()
