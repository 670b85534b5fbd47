"""A service manager's end of sd_notify(3)."""

import socket
import time
from types import TracebackType
from typing import Self

from .proxy_command import Launcher, clean_environment

Message = dict[str, str]


class NotifySocket:
    """Hears what a service says of itself; a name that begins with '@' is an abstract one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{name[1:]}" if name.startswith("@") else name)

    def launcher(self, **variables: str) -> Launcher:
        """Start the command as a service."""
        environment = clean_environment() | {"NOTIFY_SOCKET": self._name} | variables
        return Launcher(environment=environment)

    def next(self, timeout_s: float = 20) -> Message:
        """Return the next message's assignments."""
        self._socket.settimeout(timeout_s)
        lines = self._socket.recv(4096).decode().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def wait(self, key: str, timeout_s: float = 20) -> Message:
        """Return the next message that assigns this, and drop those before it."""
        deadline_s = time.monotonic() + timeout_s
        while key not in (message := self.next(max(0.01, deadline_s - time.monotonic()))):
            pass
        return message

    def is_silent(self, for_s: float) -> bool:
        """Whether nothing comes for so long."""
        try:
            self.next(for_s)
        except TimeoutError:
            return True
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._socket.close()
