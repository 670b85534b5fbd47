"""How much goes to OpenSSL, and to the kernel, in one call."""

import ssl
import threading

import pytest

from spliceproxy.tls.decryption import RECORD_BYTES
from spliceproxy.tls.tls_socket import MOST_AT_ONCE_BYTES, TlsSocket
from tests.streams import TINY, tcp_pair
from tests.tls.certificates import client_context, server_context
from tests.tls.test_tls_socket import (
    both_versions,
    receive_at_peer,
    shake_hands,
    tls_pair,
)


class Counted(ssl.SSLObject):
    """Counts how often it is asked."""

    asked = 0

    def do_handshake(self) -> None:
        self.asked += 1
        super().do_handshake()


@both_versions
def test_a_handshake_asks_openssl_once_for_each_record(version: ssl.TLSVersion) -> None:
    far, near = tcp_pair()
    context = server_context()
    context.sslobject_class = Counted
    ours = TlsSocket(near, context, server_side=True)
    peer = client_context(version).wrap_socket(
        far, server_hostname="localhost", do_handshake_on_connect=False
    )
    with peer:
        shake_hands(peer, ours)
        assert isinstance(ours.tls, Counted)
        # The hello, the change of ciphers, and Finished; in 1.2 the client's share of the key, too.
        assert ours.tls.asked == (4 if version is ssl.TLSVersion.TLSv1_2 else 3)
    ours.close()


@pytest.mark.parametrize("size", [1, RECORD_BYTES, RECORD_BYTES + 1, 2 * MOST_AT_ONCE_BYTES + 9])
@both_versions
def test_all_is_sent_by_one_call_where_there_is_room(version: ssl.TLSVersion, size: int) -> None:
    with tls_pair(version=version) as (peer, ours):
        data = bytes(range(256)) * (size // 256 + 1)
        assert ours.send(data[:size]) == size
        assert not ours.unsent
        assert receive_at_peer(peer, size) == data[:size]


@both_versions
def test_of_what_finds_no_room_whole_records_count(version: ssl.TLSVersion) -> None:
    with tls_pair(TINY, version=version) as (peer, ours):
        data = bytes(range(256)) * (2 * MOST_AT_ONCE_BYTES // 256)
        received: list[bytes] = []
        thread = threading.Thread(
            target=lambda: received.append(receive_at_peer(peer, len(data))), daemon=True
        )
        peer.setblocking(True)
        counts, done = [], 0
        thread.start()
        while done < len(data):
            try:
                counts.append(ours.send(data[done:]))
            except BlockingIOError:
                continue
            done += counts[-1]
        thread.join(20)
        assert received == [data]
        assert len(counts) > 1
        assert all(0 < count <= len(data) for count in counts)
        assert {count % RECORD_BYTES for count in counts} == {0}
