"""Random interleavings of writes, reads, ends and resets, held against what TCP promises."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import pytest
import trio
import trio.lowlevel
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.typing import EventDict

from tests.proxy.bookkeeping import check_bookkeeping
from tests.proxy.payload import assert_prefix, assert_same, random_bytes
from tests.proxy.peer import End, Peer
from tests.proxy.relay import Mode, Relay, all_modes, relay
from tests.proxy.small_sockets import shrink_proxy_sockets
from tests.streams import KERNEL_CHOICE, Buffers

MOST_BYTES = 4 << 20
STREAMS = {name: random_bytes(MOST_BYTES, seed) for seed, name in enumerate(("client", "backend"))}

Action = Literal["write", "read", "finish", "reset", "wait"]
Step = tuple[Action, str, int]

sizes = st.sampled_from([1, 100, 5_000, 70_000, 400_000])
sides = st.sampled_from(["client", "backend"])
moves: st.SearchStrategy[Step] = st.tuples(
    st.sampled_from(["write", "write", "write", "read", "read", "wait"]), sides, sizes
)
ends: st.SearchStrategy[Step] = st.tuples(
    st.sampled_from(["finish", "finish", "reset"]), sides, st.just(0)
)
scripts = st.lists(st.one_of(moves, moves, moves, ends), max_size=16)
buffers = st.sampled_from([Buffers(8192, 8192, 536), Buffers(65536, 4096, 536), KERNEL_CHOICE])


@dataclass
class Side:
    """What one peer has done, and what it has seen of the other."""

    name: str
    peer: Peer
    sent_bytes: int = 0
    finished: bool = False
    has_reset: bool = False
    received: bytearray = field(default_factory=bytearray)
    end: End | None = None

    @property
    def sent(self) -> bytes:
        return STREAMS[self.name][: self.sent_bytes + self.peer.encrypted_bytes]

    def act(self, action: Action, size: int) -> None:
        if self.has_reset:
            return
        try:
            if action == "write" and not self.finished:
                data = STREAMS[self.name][self.sent_bytes : self.sent_bytes + size]
                self.sent_bytes += self.peer.send_some(data)
            elif action == "read":
                self.read_some(size)
            elif action == "finish" and not self.finished:
                self.finished = True
                self.peer.finish()
            elif action == "reset":
                self.has_reset = True
                self.peer.reset()
        except OSError:  # the other side has reset; reading to the end will tell
            self.peer.was_reset = True

    def read_some(self, size: int) -> None:
        with suppress(BlockingIOError):
            self.received += self.peer.sock.recv(size)

    async def read_to_the_end(self) -> None:
        if not self.has_reset:
            rest, self.end = await self.peer.receive_rest()
            self.received += rest


@all_modes
@pytest.mark.slow
@settings(max_examples=100)
@given(script=scripts, small=buffers)
async def test_what_arrives_is_what_was_sent_or_a_reset_says_so(
    mode: Mode, script: list[Step], small: Buffers
) -> None:
    with pytest.MonkeyPatch.context() as patch, trio.fail_after(20):
        shrink_proxy_sockets(patch, small)
        async with relay(mode=mode, buffers=small) as proxied:
            connection = await proxied.connect()
            client = Side("client", connection.client)
            backend = Side("backend", connection.backend)
            await play(proxied, client, backend, script)
            async with trio.open_nursery() as nursery:
                for side in (client, backend):
                    side.act("finish", 0)
                    nursery.start_soon(side.read_to_the_end)
            line = await proxied.line()
    check_received(client, backend)
    check_received(backend, client)
    check_line(client, backend, line)


async def play(proxied: Relay, client: Side, backend: Side, script: list[Step]) -> None:
    for action, name, size in script:
        if action == "wait":
            for _ in range(10):
                await trio.lowlevel.checkpoint()
        else:
            (client if name == "client" else backend).act(action, size)
            await trio.lowlevel.checkpoint()
        check_bookkeeping(proxied.worker)


def check_received(receiver: Side, sender: Side) -> None:
    assert_prefix(bytes(receiver.received), sender.sent)
    if receiver.end == "eof":
        assert sender.finished
        assert_same(bytes(receiver.received), sender.sent)
    elif receiver.end == "reset":
        assert sender.has_reset


def check_line(client: Side, backend: Side, line: EventDict) -> None:
    assert len(backend.received) <= line["request_bytes"] <= len(client.sent)
    assert len(client.received) <= line["response_bytes"] <= len(backend.sent)
    if client.has_reset or backend.has_reset:
        assert line["reason"] in {"closed", "client_reset", "backend_reset"}
    else:
        assert line["reason"] == "closed"
        assert (line["request_bytes"], line["response_bytes"]) == (
            len(client.sent),
            len(backend.sent),
        )
        assert line["undelivered_bytes"] == 0
