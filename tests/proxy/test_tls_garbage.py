"""Connections by TLS are freed when they end, by reference counts, and not by the collector."""

import gc
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.proxy.relay import eventually
from tests.proxy.routed import Routed, routed
from tests.proxy.test_starttls import GREETING, ask_postgres, grant_postgres, route
from tests.tls.certificates import authority, certificate

TLS_BACKEND = f"{{address: '${{one}}', tls: {{ca: {authority()}, name: localhost}}}}"
ROUTES = f"""
  - listen: {{address: '127.0.0.1:0', tls: {certificate()}}}
    backends: {TLS_BACKEND}
    timeouts: TIMEOUTS
    retries: 0
"""
Story = Callable[[Routed], Awaitable[None]]


@contextmanager
def no_garbage() -> Iterator[None]:
    """Nothing of the proxy may be left inside the block to the collector, which is off there."""
    gc.collect()
    gc.disable()
    try:
        yield
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = Counter(type(one).__qualname__ for one in gc.garbage if is_ours(one))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert dict(left) == {}


def is_ours(thing: object) -> bool:
    return type(thing).__module__.startswith("spliceproxy.") or isinstance(thing, ssl.SSLObject)


async def both(it: Routed) -> None:
    client = await it.open_client()
    await client.speak_tls(server_side=False)
    backend = await it.accept()
    await backend.speak_tls(server_side=True)
    await client.send(b"question")
    assert await backend.receive_exactly(8) == b"question"


async def completes(it: Routed) -> None:
    await both(it)
    for peer in it.peers:
        peer.finish()
    for peer in it.peers:
        await peer.receive_rest()


async def is_reset(it: Routed) -> None:
    await both(it)
    it.peers[0].reset()


async def is_truncated(it: Routed) -> None:
    await both(it)
    socket.SocketType.shutdown(it.peers[1].sock, socket.SHUT_WR)


async def is_changed(it: Routed) -> None:
    await both(it)
    socket.SocketType.send(it.peers[0].sock, b"\x17\x03\x03\x00\x20" + bytes(32))


async def is_no_tls(it: Routed) -> None:
    client = await it.open_client()
    await client.send(b"GET / HTTP/1.1\r\n\r\n")


async def stops(it: Routed) -> None:
    client = await it.open_client()
    await client.send(b"\x16\x03\x01")


async def leaves(it: Routed) -> None:
    (await it.open_client()).close()


async def gets_no_tls(it: Routed) -> None:
    client = await it.open_client()
    await client.speak_tls(server_side=False)
    backend = await it.accept()
    await backend.send(b"no TLS at all\r\n")


async def gets_no_answer(it: Routed) -> None:
    client = await it.open_client()
    await client.speak_tls(server_side=False)
    await it.accept()


async def leaves_early(it: Routed) -> None:
    client = await it.open_client()
    await client.speak_tls(server_side=False)
    await it.accept()
    client.reset()


STORIES = [
    (completes, "closed"),
    (is_reset, "client_reset"),
    (is_truncated, "backend_tls_truncated"),
    (is_changed, "client_tls_broken"),
    (is_no_tls, "client_not_tls"),
    (stops, "client_tls_timeout"),
    (leaves, "client_left"),
    (gets_no_tls, "backend_not_tls"),
    (gets_no_answer, "backend_tls_timeout"),
    (leaves_early, "client_left"),
]
QUICK = {"client_tls_timeout": "{client_hello: 100ms}", "backend_tls_timeout": "{connect: 100ms}"}


@pytest.mark.parametrize(("story", "reason"), STORIES, ids=lambda it: getattr(it, "__name__", ""))
async def test_nothing_is_left_to_the_collector(story: Story, reason: str) -> None:
    async with routed(ROUTES.replace("TIMEOUTS", QUICK.get(reason, "{}"))) as it:
        with no_garbage():
            await story(it)
            await eventually(lambda: told(it) == [reason])
            await eventually(lambda: not it.taken)
            while it.peers:
                it.peers.pop().close()


async def test_nothing_is_left_of_those_who_ask_for_it_in_their_protocol() -> None:
    async with routed(route("postgres", "postgres")) as it:
        with no_garbage():
            client = await it.open_client()
            await ask_postgres(client)
            backend = await it.accept()
            await grant_postgres(backend)
            client.reset()
            await eventually(lambda: told(it) == ["client_reset"])
            while it.peers:
                it.peers.pop().close()
            del client, backend


async def test_nothing_is_left_of_a_backend_that_greets_by_tls() -> None:
    async with routed(route("smtp", "")) as it:
        with no_garbage():
            client = await it.open_client()
            await client.receive_some()
            await client.send(b"STARTTLS\r\n")
            await client.receive_some()
            await client.speak_tls(server_side=False)
            backend = await it.accept()
            await backend.speak_tls(server_side=True)
            await backend.send(GREETING)
            await backend.send(b"250 and more\r\n")
            client.reset()
            await eventually(lambda: len(told(it)) == 1)
            while it.peers:
                it.peers.pop().close()
            del client, backend


def told(it: Routed) -> list[str]:
    return [*it.route().refused, *(line["reason"] for line in it.events("connection"))]
