"""A source that splice finds nothing of, though a read does, is copied from then on."""

import socket

import pytest

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.splice_refusals import STOPS_IN_A_ROW, SpliceStarvedError, is_starved
from spliceproxy.pump.copy_flow import CopyFlow
from spliceproxy.pump.splice_flow import SpliceFlow
from tests.faults import Counted, starving
from tests.pump.linking import linked, receive
from tests.streams import tcp_pair

DATA = bytes(range(256)) * 1000


async def test_all_arrives_with_few_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    async with linked() as it:
        splice = Counted(starving(it.near[0].fileno()))
        monkeypatch.setattr(syscalls, "splice", splice)
        it.client.sendall(DATA)
        it.client.shutdown(socket.SHUT_WR)
        assert await receive(it.backend, len(DATA) + 1) == DATA
        flow = it.link.request
        assert isinstance(flow, CopyFlow)
        assert (flow.spliced_bytes, flow.taken_bytes) == (STOPS_IN_A_ROW - 1, len(DATA))
        assert splice.calls == STOPS_IN_A_ROW + flow.spliced_bytes, "filled and drained"
        assert [type(cause) for cause in it.owner.refusals] == [SpliceStarvedError]
        assert isinstance(it.link.response, SpliceFlow), "the other direction is spliced"


async def test_single_stops_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two of them something is spliced."""
    async with linked() as it:
        for _ in range(3 * STOPS_IN_A_ROW):
            with monkeypatch.context() as patch:
                patch.setattr(syscalls, "splice", starving(it.near[0].fileno()))
                it.client.send(b"a")
                assert await receive(it.backend, 1) == b"a"
            it.client.send(b"some")
            assert await receive(it.backend, 4) == b"some"
        assert isinstance(it.link.request, SpliceFlow)
        assert it.owner.refusals == []


async def test_urgent_marks_are_no_starvation() -> None:
    async with linked() as it:
        for _ in range(3 * STOPS_IN_A_ROW):
            it.client.send(b"!", socket.MSG_OOB)
            it.client.send(b"a")
            assert await receive(it.backend, 1) == b"a"
        assert isinstance(it.link.request, SpliceFlow)
        assert it.owner.refusals == []


def test_what_starves() -> None:
    far, near = tcp_pair()
    with far, near:
        assert not is_starved(near), "nothing there"
        far.send(b"a")
        near.setblocking(True)
        assert near.recv(1, socket.MSG_PEEK) == b"a"
        near.setblocking(False)
        assert is_starved(near)
    one, other = socket.socketpair()
    with one, other:
        other.send(b"a")
        assert is_starved(one), "it may know no marks"
