"""What the pump asks of the kernel: exactly what is in the pipe, and a bounded amount at a time."""

import socket
from typing import Any

import pytest

from spliceproxy.kernel import syscalls
from spliceproxy.pump.copy_flow import COPY_BYTES
from spliceproxy.pump.splice_flow import FILL_BYTES
from tests.loop.watching import eventually
from tests.pump.linking import Linked, linked, receive
from tests.streams import fill_up


class Recorded:
    """Keeps how many bytes each call was to move, and how many it did."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._real = syscalls.splice
        self.calls: list[tuple[int, int, int, int]] = []
        self.failures = 0
        monkeypatch.setattr(syscalls, "splice", self._splice)

    def _splice(self, source: int, destination: int, count: int, *rest: Any) -> int:
        try:
            moved = self._real(source, destination, count, *rest)
        except OSError:
            self.failures += 1
            raise
        self.calls.append((source, destination, count, moved))
        return moved

    def into(self, sock: socket.socket) -> list[tuple[int, int]]:
        """Count asked for, count moved, of the calls into that socket."""
        return [(call[2], call[3]) for call in self.calls if call[1] == sock.fileno()]

    def out_of(self, sock: socket.socket) -> list[tuple[int, int]]:
        """The same of the calls out of it."""
        return [(call[2], call[3]) for call in self.calls if call[0] == sock.fileno()]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    return Recorded(monkeypatch)


@pytest.mark.parametrize("segments", [1, 15, 16, 17, 47, 48, 49])
async def test_never_more_is_asked_for_than_the_pipe_holds(
    recorded: Recorded, segments: int
) -> None:
    """With more, the kernel would take the last batch for one that more is to follow."""
    async with linked() as it:
        near_client, near_backend = it.near
        for _ in range(segments):
            it.client.send(b"0123456789")
        assert len(await receive(it.backend, segments * 10)) == segments * 10
        filled = sum(moved for _, moved in recorded.out_of(near_client))
        asked = [count for count, _ in recorded.into(near_backend)]
        assert filled == sum(asked) == segments * 10


async def test_a_small_message_costs_two_calls(recorded: Recorded) -> None:
    async with linked() as it:
        for _ in range(10):
            it.client.send(b"question")
            assert await receive(it.backend, 8) == b"question"
        assert len(recorded.calls) == 20
        assert recorded.failures == 0, "no call only asks whether there is more"


async def test_what_falls_short_is_asked_for_again_and_nothing_else(recorded: Recorded) -> None:
    async with linked() as it:
        near_client, near_backend = it.near
        sent = await fill_all(it)
        assert len(await receive(it.backend, sent)) == sent
        pending = 0
        for source, destination, count, moved in recorded.calls:
            if source == near_client.fileno():
                assert pending == 0, "filled before it was empty"
                assert (count, moved <= FILL_BYTES) == (FILL_BYTES, True)
                pending = moved
            elif destination == near_backend.fileno():
                assert count == pending
                pending -= moved
        assert pending == 0


async def fill_all(it: Linked) -> int:
    """Send until the link is paused and the sender's side full, too."""
    sent = 0

    def full() -> bool:
        nonlocal sent
        more = fill_up(it.client)
        sent += more
        return it.link.request.paused and more == 0

    await eventually(full)
    return sent


async def test_copying_holds_a_bounded_amount() -> None:
    async with linked(splice=False) as it:
        sent = await fill_all(it)
        assert 0 < it.link.request.pending_bytes <= COPY_BYTES
        assert len(await receive(it.backend, sent)) == sent
        assert it.link.request.pending_bytes == 0
