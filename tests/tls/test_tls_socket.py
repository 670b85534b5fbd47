"""A TLS socket against Python's own, with nothing of the proxy between them."""

import errno
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from spliceproxy.tls import handshake_records, tls_socket
from spliceproxy.tls.tls_errors import TlsError
from spliceproxy.tls.tls_socket import TlsSocket
from tests.streams import KERNEL_CHOICE, TINY, Buffers, reset, tcp_pair
from tests.tls.certificates import client_context, server_context
from tests.tls.key_updates import ask_for_keys, load

LIBRARY = load()
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
both_versions = pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
both_sides = pytest.mark.parametrize("server_side", [True, False], ids=["server", "client"])


def plain_pair(
    buffers: Buffers, *, server_side: bool, version: ssl.TLSVersion
) -> tuple[ssl.SSLSocket, TlsSocket]:
    """The peer's socket, and ours; their handshake has not begun."""
    far, near = tcp_pair(buffers)
    server, client = server_context(), client_context(version)
    peer = (client if server_side else server).wrap_socket(
        far,
        server_side=not server_side,
        server_hostname="localhost" if server_side else None,
        do_handshake_on_connect=False,
        suppress_ragged_eofs=False,
    )
    ours = TlsSocket(
        near,
        server if server_side else client,
        server_side=server_side,
        server_hostname=None if server_side else "localhost",
    )
    return peer, ours


@contextmanager
def tls_pair(
    buffers: Buffers = KERNEL_CHOICE,
    *,
    server_side: bool = True,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> Iterator[tuple[ssl.SSLSocket, TlsSocket]]:
    peer, ours = plain_pair(buffers, server_side=server_side, version=version)
    with peer, closing(ours):
        shake_hands(peer, ours)
        yield peer, ours


def shake_hands(peer: ssl.SSLSocket, ours: TlsSocket) -> None:
    done = False
    while ours.advance() or not done:
        with suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            peer.do_handshake()
            done = True


def receive(ours: TlsSocket, count: int = 1 << 16) -> bytes:
    """What is there within a while; nothing when the stream has ended."""
    while True:
        try:
            return ours.recv(count)
        except BlockingIOError:
            assert select.select([ours], [], [], 10)[0]


def receive_at_peer(peer: ssl.SSLSocket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count:
        try:
            chunk = peer.recv(count - len(received))
        except ssl.SSLWantReadError:
            select.select([peer], [], [], 10)
        else:
            assert chunk
            received += chunk
    return bytes(received)


def fill_up(ours: TlsSocket) -> int:
    """Send until no more is taken; how many bytes the kernel has."""
    sent, left = 0, -1
    while left != len(ours._unsent) or not left:
        try:
            sent += ours.send(bytes(1000))
        except BlockingIOError:
            left = len(ours._unsent)
            select.select([], [ours], [], 0.3)
            ours.flush()
    return sent


@both_versions
@both_sides
def test_bytes_pass_both_ways(server_side: bool, version: ssl.TLSVersion) -> None:
    with tls_pair(server_side=server_side, version=version) as (peer, ours):
        assert ours.tls.version() == peer.version()
        peer.send(b"question")
        assert receive(ours) == b"question"
        assert ours.send(b"answer") == 6
        assert receive_at_peer(peer, 6) == b"answer"


@both_versions
def test_nothing_is_left_behind_without_an_event(version: ssl.TLSVersion) -> None:
    """Whatever is asked for: what was read from the socket is handed out, or an end."""
    with tls_pair(version=version) as (peer, ours):
        sent = bytes(range(256)) * 400
        peer.send(sent)
        received = b""
        while len(received) < len(sent):
            assert select.select([ours], [], [], 10)[0], "no event, and bytes are missing"
            with suppress(BlockingIOError):
                received += ours.recv(1)
        assert received == sent
        assert not ours.knows_more


@both_versions
@both_sides
def test_one_direction_ends_while_the_other_goes_on(
    server_side: bool, version: ssl.TLSVersion
) -> None:
    with tls_pair(server_side=server_side, version=version) as (peer, ours):
        peer.send(b"under way when the goodbye is said")
        select.select([ours], [], [], 10)
        ours.shutdown(socket.SHUT_WR)
        assert peer.recv(10) == b""
        peer.send(b"; and after it")
        received = b""
        while len(received) < 48:
            received += receive(ours)
        assert received == b"under way when the goodbye is said; and after it"
        with suppress(ssl.SSLWantReadError):
            peer.unwrap()
        assert receive(ours) == b""


@both_versions
def test_an_end_behind_bytes_is_known(version: ssl.TLSVersion) -> None:
    with tls_pair(version=version) as (peer, ours):
        peer.send(b"last words")
        with suppress(ssl.SSLWantReadError):
            peer.unwrap()
        assert receive(ours) == b"last words"
        assert ours.knows_more
        assert ours.recv(10) == b""
        assert not ours.knows_more


@both_versions
def test_a_fin_without_a_goodbye_is_an_error(version: ssl.TLSVersion) -> None:
    with tls_pair(version=version) as (peer, ours):
        peer.send(b"cut")
        assert receive(ours) == b"cut"
        peer.shutdown(socket.SHUT_WR)
        with pytest.raises(OSError, match="close_notify") as caught:
            receive(ours)
        assert caught.value.errno == errno.ENODATA


def test_a_reset_is_one() -> None:
    with tls_pair() as (peer, ours):
        peer.send(b"cut")
        assert receive(ours) == b"cut"
        reset(peer)
        with pytest.raises(ConnectionResetError):
            receive(ours)


@both_versions
def test_changed_bytes_are_an_error(version: ssl.TLSVersion) -> None:
    with tls_pair(version=version) as (peer, ours):
        socket.SocketType.send(peer, b"\x17\x03\x03\x00\x20" + bytes(32))
        with pytest.raises(OSError, match=r"(?i)\bmac\b") as caught:
            receive(ours)
        assert caught.value.errno == errno.EBADMSG


@both_versions
@pytest.mark.parametrize("buffers", [KERNEL_CHOICE, TINY], ids=["kernel", "tiny"])
def test_what_finds_no_room_is_sent_later_and_once(
    buffers: Buffers, version: ssl.TLSVersion
) -> None:
    data = bytes(range(251)) * 20_000
    received = bytearray()
    with tls_pair(buffers, version=version) as (peer, ours):
        sent = 0
        while len(received) < len(data):
            with suppress(BlockingIOError):
                if sent < len(data):
                    sent += ours.send(data[sent : sent + (64 << 10)])
            with suppress(ssl.SSLWantReadError):
                received += peer.recv(1 << 14)
        assert sent == len(data)
        assert not ours.unsent
    assert received == data


def test_a_goodbye_waits_for_room() -> None:
    wanted: list[str] = []
    with tls_pair(TINY) as (peer, ours):
        sent = fill_up(ours)
        ours.room_wanted = lambda: wanted.append("room")
        ours.shutdown(socket.SHUT_WR)
        assert wanted == ["room"]
        received, chunk = 0, b"more"
        while chunk:
            ours.go_on()
            with suppress(ssl.SSLWantReadError):
                chunk = peer.read(1 << 14)
                received += len(chunk)
        assert sent <= received <= sent + 1000


@both_sides
def test_a_handshake_takes_nothing_of_what_follows(server_side: bool) -> None:
    with tls_pair(server_side=server_side) as (peer, ours):
        assert ours._incoming.pending == 0
        peer.send(b"at once")
        assert receive(ours) == b"at once"


def test_a_handshake_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake_records, "MOST_HANDSHAKE_BYTES", 100)
    peer, ours = plain_pair(KERNEL_CHOICE, server_side=True, version=ssl.TLSVersion.TLSv1_3)
    with peer, closing(ours), pytest.raises(TlsError, match="too long"):
        shake_hands(peer, ours)


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "not_tls"),
        (b"\x00" * 100, "not_tls"),
        (b"\x16\x03\x01\x00\x05hello", "tls_failed"),
    ],
)
def test_what_is_no_tls_has_a_name(sent: bytes, name: str) -> None:
    far, near = tcp_pair()
    with far, closing(TlsSocket(near, server_context(), server_side=True)) as ours:
        far.send(sent)
        select.select([ours], [], [], 10)
        with pytest.raises(TlsError) as caught:
            ours.advance()
        assert caught.value.name == name
        assert caught.value.detail


def test_a_certificate_that_nobody_vouches_for_has_a_name() -> None:
    far, near = tcp_pair()
    server = server_context().wrap_socket(far, server_side=True, do_handshake_on_connect=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ours = TlsSocket(near, context, server_side=False, server_hostname="localhost")
    with server, closing(ours), pytest.raises(TlsError) as caught:
        shake_hands(server, ours)
    assert caught.value.name == "bad_certificate"


def test_answers_that_a_peer_does_not_take_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_socket, "_MOST_UNSENT_BYTES", 10)
    with tls_pair(TINY) as (peer, ours):
        fill_up(ours)
        ours._answer()
        with pytest.raises(OSError, match="takes no answers"):
            ours.recv(1)
        del peer


@pytest.mark.skipif(LIBRARY is None, reason="OpenSSL's library is not there by its name")
@pytest.mark.parametrize("times", [10, 2000])
def test_a_flood_of_other_keys_ends_in_an_error(times: int) -> None:
    """A few are answered."""
    far, near = tcp_pair()
    far.setblocking(True)
    with far, closing(TlsSocket(near, server_context(), server_side=True)) as ours:
        asking = threading.Thread(target=ask_for_keys, args=(LIBRARY, far, times))
        asking.start()
        while ours.advance():
            select.select([ours], [], [], 10)
        try:
            if times == 10:
                assert receive(ours) == b"done"
            else:
                asking.join()  # all of them are there then
                with pytest.raises(OSError, match="too many records without bytes"):
                    receive(ours)
        finally:
            reset(far)
            asking.join()


def test_many_small_records_are_no_flood() -> None:
    with tls_pair() as (peer, ours):
        sent = b"".join(b"%04d" % number for number in range(1000))
        for number in range(1000):
            peer.send(sent[4 * number : 4 * number + 4])
        received = b""
        while len(received) < len(sent):
            received += receive(ours)
        assert received == sent
