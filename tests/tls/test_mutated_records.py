"""Whatever is done to what a peer sends: bytes of its own, or a named end, and nothing else."""

import ssl
from contextlib import closing, suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from spliceproxy.tls.tls_errors import TlsError
from spliceproxy.tls.tls_socket import TlsSocket
from tests.streams import tcp_pair
from tests.tls.certificates import client_context, server_context

SENT = b"what the client says, " * 100
KINDS = st.sampled_from(["flip", "drop", "insert", "cut", "repeat"])
CHANGES = st.lists(
    st.tuples(KINDS, st.integers(0, 1 << 16), st.binary(min_size=1, max_size=30)), max_size=4
)


def change(data: bytes, kind: str, at: int, other: bytes) -> bytes:
    at %= len(data) + 1
    if kind == "flip":
        changed = bytes(one ^ two for one, two in zip(data[at:], other, strict=False))
        return data[:at] + changed + data[at + len(changed) :]
    if kind == "drop":
        return data[:at] + data[at + len(other) :]
    if kind == "insert":
        return data[:at] + other + data[at:]
    return data[:at] if kind == "cut" else data[:at] + data[:at] + data[at:]


@settings(deadline=None, max_examples=150)
@given(of_hello=CHANGES, of_answer=CHANGES, of_data=CHANGES, ends=st.booleans())
def test_mutated(
    of_hello: list[tuple[str, int, bytes]],
    of_answer: list[tuple[str, int, bytes]],
    of_data: list[tuple[str, int, bytes]],
    ends: bool,
) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    far, near = tcp_pair()
    received = b""
    ours = TlsSocket(near, server_context(), server_side=True)
    with far, closing(ours), suppress(TlsError, OSError):
        for changes in (of_hello, of_answer):
            with suppress(ssl.SSLError):
                client.do_handshake()
            far.send(mutate(outgoing.read(), changes))
            ours.advance()
            with suppress(BlockingIOError):
                incoming.write(far.recv(1 << 16))
        with suppress(ssl.SSLError):
            client.write(SENT)
        far.send(mutate(outgoing.read(), of_data))
        if ends:
            far.close()
        while not ours.advance():
            received += ours.recv(1 << 16)
            assert len(received) <= len(SENT)
    if not (of_hello or of_answer or of_data):
        assert received == SENT
    assert SENT.startswith(received)


def mutate(data: bytes, changes: list[tuple[str, int, bytes]]) -> bytes:
    for kind, at, other in changes:
        data = change(data, kind, at, other)
    return data
