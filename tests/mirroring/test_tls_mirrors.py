"""Mirrors by TLS: who is believed, what is told when they are not, how their streams end."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from spliceproxy.sinks import stream_outlet
from tests.mirroring.answering import answering, recorded
from tests.mirroring.holding import BLOCK
from tests.mirroring.mirrored import LOCALHOST, Mirrored, mirrored
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.peer import Acceptor, Peer
from tests.proxy.relay import both_modes, eventually
from tests.streams import KERNEL_CHOICE
from tests.tls.authority import Authority
from tests.tls.certificates import authority, certificate

DATA = random_bytes(700_000)


@asynccontextmanager
async def shadowed(
    options: str = "", *, splice: bool = True, at_once: bool = False
) -> AsyncIterator[tuple[Mirrored, Acceptor]]:
    """A proxy, and the listener that its mirror connects to."""
    shadow = Acceptor((LOCALHOST, 0), KERNEL_CHOICE, 16)
    text = f"tls://{LOCALHOST}:{shadow.address[1]}{options}"
    try:
        async with mirrored(text, splice=splice, at_once=at_once) as proxied:
            yield proxied, shadow
    finally:
        shadow.close()


async def traffic(proxied: Mirrored) -> None:
    """A connection that nothing is wrong with, whatever becomes of its copy."""
    connection = await proxied.connect()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.client.send, DATA)
        assert_same(await connection.backend.receive_exactly(len(DATA)), DATA)
    connection.client.finish()
    assert await connection.backend.receive_rest() == (b"", "eof")
    await connection.backend.send(b"answer")
    connection.backend.finish()
    assert await connection.client.receive_rest() == (b"answer", "eof")
    assert (await proxied.line())["reason"] == "closed"


async def fail_handshake(shadow: Acceptor, context: ssl.SSLContext | None = None) -> None:
    peer = await shadow.accept()
    with pytest.raises(Exception, match=r"tls_alert|not_tls|closed before|reset by peer"):
        await peer.speak_tls(server_side=True, context=context)
    peer.close()


def context_of(made: Authority, *names: str) -> ssl.SSLContext:
    pair = made.issue(*names, file="-".join(names))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


@both_modes
async def test_what_was_spliced_is_encrypted(splice: bool) -> None:
    with trio.fail_after(30):
        async with shadowed(splice=splice) as (proxied, shadow), trio.open_nursery() as nursery:
            nursery.start_soon(traffic, proxied)
            peer = await shadow.accept()
            await peer.speak_tls(server_side=True)
            received, end = await peer.receive_rest()
            assert_same(received, DATA)
            assert end == "eof"
            peer.close()
            account = await proxied.account()
            assert (account["state"], account["delivered_bytes"]) == ("complete", len(DATA))
            assert ((await proxied.line())["spliced_bytes"] > 0) == splice


@pytest.mark.parametrize(
    ("options", "host", "detail"),
    [
        ("", "127.0.0.2", "IP address mismatch, certificate is not valid for '127.0.0.2'."),
        (
            "?name=other.example",
            LOCALHOST,
            "Hostname mismatch, certificate is not valid for 'other.example'.",
        ),
        ("?ca={other}", LOCALHOST, "unable to get local issuer certificate"),
    ],
    ids=["address", "name", "authority"],
)
async def test_who_is_not_believed_gets_nothing(
    options: str, host: str, detail: str, tmp_path: Path
) -> None:
    options = options.format(other=Authority(tmp_path, "other").path)
    shadow = Acceptor((host, 0), KERNEL_CHOICE, 16)
    with trio.fail_after(30):
        text = f"tls://{host}:{shadow.address[1]}"
        try:
            async with mirrored(text + options) as proxied, trio.open_nursery() as nursery:
                nursery.start_soon(traffic, proxied)
                await fail_handshake(shadow)
                account = await proxied.account()
        finally:
            shadow.close()
    assert account["reason"] == "mirror_bad_certificate"
    assert (account["delivered_bytes"], account["dropped_bytes"]) == (0, len(DATA))
    [told] = proxied.events("mirror_not_secured")
    assert (told["mirror"], told["reason"]) == (text, "mirror_bad_certificate")
    assert told["detail"] == detail


async def test_verify_false_believes_whoever_answers(tmp_path: Path) -> None:
    context = context_of(Authority(tmp_path), "somebody.example")
    with trio.fail_after(30):
        async with (
            shadowed("?verify=false") as (proxied, shadow),
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(traffic, proxied)
            peer = await shadow.accept()
            await peer.speak_tls(server_side=True, context=context)
            assert_same((await peer.receive_rest())[0], DATA)
            peer.close()
            assert (await proxied.account())["state"] == "complete"


async def test_a_certificate_is_shown(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate())
    context.load_verify_locations(authority())
    context.verify_mode = ssl.CERT_REQUIRED
    with trio.fail_after(30):
        async with (
            shadowed(f"?certificate={certificate()}") as (proxied, shadow),
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(traffic, proxied)
            peer = await shadow.accept()
            await peer.speak_tls(server_side=True, context=context)
            assert_same((await peer.receive_rest())[0], DATA)
            peer.close()


@pytest.mark.parametrize(
    ("said", "reason"),
    [(b"220 hello\r\n", "mirror_not_tls"), (b"", "mirror_tls_timeout")],
    ids=["another-protocol", "nothing"],
)
async def test_who_does_not_speak_tls(
    said: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not said:
        monkeypatch.setattr(stream_outlet, "CONNECT_TIMEOUT_S", 0.2)
    with trio.fail_after(30):
        async with shadowed() as (proxied, shadow), trio.open_nursery() as nursery:
            nursery.start_soon(traffic, proxied)
            peer = await shadow.accept()
            if said:
                await peer.send(said)
            assert (await proxied.account())["reason"] == reason
            peer.close()


async def test_who_leaves_in_the_middle_of_the_handshake() -> None:
    with trio.fail_after(30):
        async with shadowed() as (proxied, shadow), trio.open_nursery() as nursery:
            nursery.start_soon(traffic, proxied)
            peer = await shadow.accept()
            await peer.receive_exactly(10)
            peer.close()
            assert (await proxied.account())["reason"] == "mirror_reset"


async def test_what_is_cut_during_the_handshake_leaves_nothing() -> None:
    with trio.fail_after(30):
        async with shadowed(at_once=True) as (proxied, shadow):
            connection = await proxied.connect()
            peer = await shadow.accept()
            await peer.receive_exactly(10)
            await connection.client.send(b"question")
            await connection.backend.receive_exactly(8)
        peer.close()
        connection.client.close()
        connection.backend.close()


@both_modes
async def test_answers_are_discarded(splice: bool) -> None:
    with trio.fail_after(30):
        async with shadowed(splice=splice) as (proxied, shadow), trio.open_nursery() as nursery:
            connection = await proxied.connect()
            peer = await shadow.accept()
            await peer.speak_tls(server_side=True)
            nursery.start_soon(connection.client.send, DATA)
            await peer.send(DATA)
            assert_same(await connection.backend.receive_exactly(len(DATA)), DATA)
            connection.client.finish()
            connection.backend.finish()
            assert await connection.client.receive_rest() == (b"", "eof")
            received, end = await peer.receive_rest()
            assert_same(received, DATA)
            assert end == "eof"
            peer.close()
            assert (await proxied.account())["state"] == "complete"


@pytest.mark.parametrize("early", [False, True])
async def test_an_end_without_close_notify(early: bool) -> None:
    """Behind the whole copy it is an end: nobody looks at the answers."""
    with trio.fail_after(30):
        async with shadowed() as (proxied, shadow), trio.open_nursery() as nursery:
            nursery.start_soon(traffic, proxied)
            peer = await shadow.accept()
            await peer.speak_tls(server_side=True)
            if not early:
                assert_same((await peer.receive_rest())[0], DATA)
            end_without_a_word(peer)
            reason = (await proxied.account())["reason"]
            peer.reset()
    assert reason == ("mirror_tls_truncated" if early else "")


def end_without_a_word(peer: Peer) -> None:
    socket.SocketType.shutdown(peer.sock, socket.SHUT_WR)


async def test_what_is_broken_on_its_way_fails() -> None:
    with trio.fail_after(30):
        async with shadowed() as (proxied, shadow):
            connection = await proxied.connect()
            peer = await shadow.accept()
            await peer.speak_tls(server_side=True)
            socket.SocketType.send(peer.sock, b"\x17\x03\x03\x00\x20" + bytes(32))
            await connection.client.send(DATA[:1000])
            await connection.backend.receive_exactly(1000)
            connection.client.finish()
            connection.backend.finish()
            assert await connection.client.receive_rest() == (b"", "eof")
            assert (await proxied.account())["reason"] == "mirror_tls_broken"
            peer.close()


async def test_with_block_a_peer_that_is_not_believed_is_no_record(tmp_path: Path) -> None:
    """Nobody is served, and a connection alone does not make it work again."""
    other = Authority(tmp_path, "other").path
    with trio.fail_after(30):
        async with shadowed(f"{BLOCK}&ca={other}") as (proxied, shadow):
            client = await proxied.open_client()
            await fail_handshake(shadow)
            assert (await client.receive_rest())[1] == "reset"
            assert (await proxied.line())["reason"] == "mirror_failed"
            [mirror] = proxied.mirrors.mirrors
            failures = mirror.state._failures
            await fail_handshake(shadow)
            await eventually(lambda: mirror.state._failures > failures)
            assert mirror.state.reason == "mirror_bad_certificate"


@pytest.mark.parametrize("cut", [False, True])
async def test_answers_are_recorded_decrypted(cut: bool, tmp_path: Path) -> None:
    """Those of which nobody knows whether they are whole say so."""
    with trio.fail_after(30):
        async with answering(tmp_path, scheme="tls") as it:
            connection = await it.proxied.connect()
            shadow = await it.shadow.accept()
            await shadow.speak_tls(server_side=True)
            await connection.client.send(b"question")
            assert await shadow.receive_exactly(8) == b"question"
            await shadow.send(DATA)
            await it.answered(len(DATA))
            connection.client.finish()
            connection.backend.finish()
            assert await shadow.receive_rest() == (b"", "eof")
            if cut:  # behind more: else it could be meant as an answer to the goodbye
                await shadow.send(b"more")
                end_without_a_word(shadow)
            else:
                shadow.close()
            account = await it.account()
            shadow.close()
            assert account["recorded_bytes"] == len(DATA) + 4 * cut
            reason = (await it.proxied.account(of="tls"))["reason"]
    assert reason == ("mirror_tls_truncated" if cut else "")
    _, answers = recorded(tmp_path)
    assert answers.ends == {"response": "reset" if cut else "end"}
