"""The socket addresses behind a name, and how they follow it."""

import socket

import pytest
import trio
from structlog.testing import capture_logs

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.settings.address import Address, TcpAddress
from spliceproxy.upstream import resolved as module
from spliceproxy.upstream.resolved import Resolved, keep_resolved


def place(name: str, *addresses: str) -> Resolved:
    sockets = tuple(SocketAddress(socket.AF_INET, (each, 80), each) for each in addresses)
    return Resolved(TcpAddress(name, 80), f"{name}:80", sockets)


def targets(resolved: Resolved) -> list[str]:
    return [target.name for target in resolved.targets()]


async def test_names_are_looked_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread of a lookup is another's: the addresses change between two connections."""
    answers = iter(["new1", "new2"])
    asked: list[str] = []

    def answer(address: Address) -> tuple[SocketAddress, ...]:
        asked.append(str(address))
        found = next(answers, None)
        if found is None:
            raise StartProblem("backend name.example:80 does not resolve", "wait")
        return (SocketAddress(socket.AF_INET, (found, 80), found),)

    monkeypatch.setattr(module, "resolve", answer)
    numeric = Resolved(TcpAddress("192.0.2.1", 80), "192.0.2.1:80", ())
    named = place("name.example", "old")
    with capture_logs() as log, trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_resolved, [named, numeric], 0.01)
            while len(asked) < 4:  # noqa: ASYNC110 - the lookups know nothing of the test
                await trio.sleep(0.002)
            nursery.cancel_scope.cancel()
    assert set(asked) == {"name.example:80"}
    assert targets(named) == ["new2"], "failing lookups change nothing"
    assert log[0]["event"] == "lookup_failed"
    assert log[0]["backend"] == "name.example:80"


async def test_addresses_are_never_looked_up() -> None:
    with trio.fail_after(10):
        await keep_resolved([Resolved(TcpAddress("192.0.2.1", 80), "192.0.2.1:80", ())], 0.0)
