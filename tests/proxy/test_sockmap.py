"""Sockets that an eBPF program has taken: really, in a map of the kernel's."""

import pytest
import trio

from spliceproxy.kernel.splice_refusals import STARVED_REMEDY
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.relay import Connection, Relay, both_modes, relay
from tests.sockmap import Sockmap, sockmap

DATA = random_bytes(3_000_000)


def enrol(proxied: Relay, taken: Sockmap) -> None:
    for session in proxied.worker.sessions:
        assert session.link is not None
        taken.enrol(session.link.client.sock)
        taken.enrol(session.link.backend.sock)


async def exchange(connection: Connection, sender: str) -> None:
    sends, receives = connection.ends(sender)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sends.send, DATA)
        assert_same(await receives.receive_exactly(len(DATA)), DATA)


@both_modes
async def test_such_sockets_are_copied(splice: bool) -> None:
    try:
        with sockmap():
            pass
    except OSError as error:
        pytest.skip(f"no eBPF here: {error}")
    with trio.fail_after(60), sockmap() as taken:
        async with relay(splice=splice) as proxied:
            for number in (1, 2):
                connection = await proxied.connect()
                await connection.client.send(b"spliced")
                assert await connection.backend.receive_exactly(7) == b"spliced"
                enrol(proxied, taken)
                for sender in ("client", "backend"):
                    await exchange(connection, sender)
                connection.client.finish()
                assert await connection.backend.receive_rest() == (b"", "eof")
                connection.backend.finish()
                line = await proxied.line(number)
                assert line["reason"] == "closed"
                assert line["request_bytes"] + line["response_bytes"] == 7 + 2 * len(DATA)
                assert line["copied_bytes"] > 0.99 * len(DATA)
            told = proxied.events("splice_starved")
            [route] = proxied.proxy.status().routes
            assert route.starved == (4 if splice else 0)
            assert [one["remedy"] for one in told] == [STARVED_REMEDY] * splice, "once"
            assert proxied.events("splice_refused") == []
