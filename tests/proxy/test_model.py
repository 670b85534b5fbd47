"""Random interleavings of writes, reads, ends and resets, held against what TCP promises.

And what TLS promises, where it is spoken: that an end which the peer has not said is no end.
"""

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import pytest
import trio
import trio.lowlevel
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.typing import EventDict

from spliceproxy.kernel.sockets import Socket
from tests.proxy.bookkeeping import check_bookkeeping, live_links
from tests.proxy.payload import assert_prefix, assert_same, random_bytes
from tests.proxy.peer import End, Peer
from tests.proxy.relay import Mode, Relay, all_modes, relay
from tests.proxy.small_sockets import shrink_proxy_sockets
from tests.streams import KERNEL_CHOICE, Buffers

MOST_BYTES = 4 << 20
STREAMS = {name: random_bytes(MOST_BYTES, seed) for seed, name in enumerate(("client", "backend"))}

Action = Literal["write", "urgent", "read", "finish", "goodbye", "cut", "reset", "wait"]
Step = tuple[Action, str, int]

sizes = st.sampled_from([1, 100, 5_000, 70_000, 400_000])
sides = st.sampled_from(["client", "backend"])
moves: st.SearchStrategy[Step] = st.tuples(
    st.sampled_from(["write"] * 6 + ["read"] * 4 + ["wait"] * 2 + ["urgent"]), sides, sizes
)
ends: st.SearchStrategy[Step] = st.tuples(
    st.sampled_from(["finish", "finish", "goodbye", "reset", "reset", "cut"]), sides, st.just(0)
)
scripts = st.lists(st.one_of(moves, moves, moves, ends), max_size=16)
buffers = st.sampled_from([Buffers(8192, 8192, 536), Buffers(65536, 4096, 536), KERNEL_CHOICE])


@dataclass
class Side:
    """What one peer has done, and what it has seen of the other."""

    name: str
    peer: Peer
    sent_bytes: int = 0
    is_urgent: bool = False
    finished: bool = False
    has_cut: bool = False
    has_reset: bool = False
    received: bytearray = field(default_factory=bytearray)
    end: End | None = None

    @property
    def may_reset(self) -> bool:
        return self.has_reset or self.has_cut

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
            elif action == "goodbye" and not self.finished:
                self.finished = True
                (self.peer.finish_tls if self.peer.speaks_tls else self.peer.finish)()
            elif action == "cut" and not self.finished:
                self.cut()
            elif action == "urgent" and not self.finished:
                self.send_urgent()
            elif action == "reset":
                self.has_reset = True
                self.peer.reset()
        except OSError:  # the other side has reset; reading to the end will tell
            self.peer.was_reset = True

    def cut(self) -> None:
        """End the stream below TLS, as anybody in between could."""
        self.finished = True
        self.has_cut = self.peer.speaks_tls
        socket.SocketType.shutdown(self.peer.sock, socket.SHUT_WR)

    def send_urgent(self) -> None:
        """Once: a second one may put the first into the stream."""
        if not self.is_urgent:
            with suppress(BlockingIOError):
                self.peer.send_urgent(b"!")
                self.is_urgent = True

    def read_some(self, size: int) -> None:
        with suppress(BlockingIOError):
            self.received += self.peer.sock.recv(size)

    async def read_to_the_end(self) -> None:
        if not self.has_reset:
            rest, self.end = await self.peer.receive_rest(may_be_alerted=self.has_cut)
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
                nursery.start_soon(end_after_lost_reset, proxied, client, backend)
                async with trio.open_nursery() as readers:
                    for side in (client, backend):
                        side.act("finish", 0)
                        readers.start_soon(side.read_to_the_end)
                line = await proxied.line()
                nursery.cancel_scope.cancel()
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


async def end_after_lost_reset(proxied: Relay, client: Side, backend: Side) -> None:
    """End what no event will end: a reset behind bytes that the kernel had no room for.

    It is not where it is expected then, so that it is asked for again, if the limit on asking lets
    it (RFC 5961, section 3.2); nothing else comes from a socket that is gone.
    """
    await trio.sleep(5)
    for link in live_links(proxied.worker):
        lost = [
            side.name
            for side, end in ((client, link.client), (backend, link.backend))
            if side.has_reset and dropped_packets(end.sock)
        ]
        assert lost, "the connection has not ended"
    proxied.worker.reset_all("stopped")


def dropped_packets(sock: Socket) -> int:
    """Of those that were received (SO_MEMINFO, SK_MEMINFO_DROPS; linux/sock_diag.h)."""
    return int(struct.unpack("9I", sock.getsockopt(socket.SOL_SOCKET, 55, 36))[8])


def check_received(receiver: Side, sender: Side) -> None:
    assert_prefix(bytes(receiver.received), sender.sent)
    if receiver.end == "eof":
        assert sender.finished
        assert not sender.has_cut or receiver.finished  # a goodbye may be answered by a FIN alone
        assert_same(bytes(receiver.received), sender.sent)
    elif receiver.end == "reset":
        assert sender.may_reset or receiver.has_cut


def check_line(client: Side, backend: Side, line: EventDict) -> None:
    assert len(backend.received) <= line["request_bytes"] <= len(client.sent)
    assert len(client.received) <= line["response_bytes"] <= len(backend.sent)
    if client.has_reset or backend.has_reset:
        resets = {"closed", "stopped", "client_reset", "backend_reset"}
        assert line["reason"] in resets | truncations(client, backend)
    elif client.has_cut or backend.has_cut:
        met = {"closed"} if client.end == backend.end == "eof" else truncations(client, backend)
        assert line["reason"] in met
    else:
        assert line["reason"] == "closed"
        assert (line["request_bytes"], line["response_bytes"]) == (
            len(client.sent),
            len(backend.sent),
        )
        assert line["undelivered_bytes"] == 0


def truncations(*sides: Side) -> set[str]:
    return {f"{side.name}_tls_truncated" for side in sides if side.has_cut}
