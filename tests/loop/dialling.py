"""A dial, and somebody who waits for what comes of it."""

import socket

from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import Socket
from spliceproxy.loop.dial import Dial
from spliceproxy.loop.reactor import Reactor
from tests.loop.watching import eventually


class Caller:
    """Keeps what comes of its dial."""

    def __init__(self) -> None:
        self.reached: list[tuple[Socket, str]] = []
        self.attempts: list[tuple[str, str]] = []
        self.failed: list[str] = []
        self.crashes: list[Exception] = []

    def connected(self, sock: Socket, target: SocketAddress) -> None:
        self.reached.append((sock, target.name))
        sock.close()

    def attempt_failed(self, target: SocketAddress, why: str) -> None:
        self.attempts.append((target.name, why))

    def dial_failed(self, why: str) -> None:
        self.failed.append(why)

    def dial_crashed(self, error: Exception) -> None:
        self.crashes.append(error)


class Dialling:
    """A reactor to dial in, and the caller."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.caller = Caller()

    def dial(self, *targets: SocketAddress, timeout_s: float = 5.0) -> Dial:
        made = Dial(self.reactor, self.caller, iter(targets), timeout_s, 0.0)
        made.start()
        return made

    async def reached(self) -> str:
        await eventually(lambda: bool(self.caller.reached))
        return self.caller.reached[0][1]

    async def failed(self) -> str:
        await eventually(lambda: bool(self.caller.failed))
        assert self.caller.reached == []
        return self.caller.failed[0]


def tcp(port: int, name: str) -> SocketAddress:
    return SocketAddress(socket.AF_INET, ("127.0.0.1", port), name)


def unix(path: str, name: str) -> SocketAddress:
    return SocketAddress(socket.AF_UNIX, path, name)


REFUSING = tcp(1, "refusing")
