"""Which addresses are tried for a connection, and how they follow their names."""

import socket

import pytest
import trio
from structlog.testing import capture_logs

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.settings.address import Address, TcpAddress
from spliceproxy.upstream import backends as module
from spliceproxy.upstream.backends import Backend, Backends, resolve_backends


def backend(name: str, *addresses: str) -> Backend:
    sockets = tuple(SocketAddress(socket.AF_INET, (each, 80), each) for each in addresses)
    return Backend(TcpAddress(name, 80), f"{name}:80", sockets)


def targets(backends: Backends) -> list[str]:
    return [target.name for target in backends.targets()]


def test_backends_take_turns_each_with_its_addresses_in_order() -> None:
    backends = Backends([backend("a.example", "a1", "a2"), backend("b.example", "b1")])
    assert [targets(backends) for _ in range(3)] == [
        ["a1", "a2", "b1"],
        ["b1", "a1", "a2"],
        ["a1", "a2", "b1"],
    ]


def test_workers_begin_at_different_backends() -> None:
    made = [backend("a.example", "a"), backend("b.example", "b")]
    assert [targets(Backends(made, first=worker))[0] for worker in range(3)] == ["a", "b", "a"]


def test_one_backend_is_always_the_first() -> None:
    backends = Backends([backend("a.example", "a1", "a2")], first=3)
    assert [targets(backends) for _ in range(2)] == [["a1", "a2"]] * 2


def test_a_backend_without_addresses_is_passed_over() -> None:
    backends = Backends([backend("a.example"), backend("b.example", "b")])
    assert targets(backends) == ["b"]


def test_all_names_are_resolved_at_the_start() -> None:
    made = resolve_backends((TcpAddress("127.0.0.1", 80), TcpAddress("127.0.0.2", 81)))
    assert [each.name for each in made] == ["127.0.0.1:80", "127.0.0.2:81"]
    assert [each.sockets[0].name for each in made] == ["127.0.0.1:80", "127.0.0.2:81"]


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

    monkeypatch.setattr(module, "LOOKUP_INTERVAL_S", 0.01)
    monkeypatch.setattr(module, "resolve", answer)
    numeric = Backend(TcpAddress("192.0.2.1", 80), "192.0.2.1:80", ())
    backends = Backends([backend("name.example", "old"), numeric])
    assert targets(backends) == ["old"]
    with capture_logs() as log, trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(backends.keep_resolved)
            while len(asked) < 4:  # noqa: ASYNC110 - the lookups know nothing of the test
                await trio.sleep(0.002)
            nursery.cancel_scope.cancel()
    assert set(asked) == {"name.example:80"}
    assert targets(backends) == ["new2"], "failing lookups change nothing"
    assert log[0]["event"] == "lookup_failed"
    assert log[0]["backend"] == "name.example:80"


async def test_addresses_are_never_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOKUP_INTERVAL_S", 0.0)
    backends = Backends([Backend(TcpAddress("192.0.2.1", 80), "192.0.2.1:80", ())])
    with trio.fail_after(10):
        await backends.keep_resolved()
