"""What belongs to a handshake, whatever pieces it comes in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.tls.handshake_records import MOST_HANDSHAKE_BYTES, HandshakeRecords
from spliceproxy.tls.tls_errors import TlsError

records = st.builds(
    lambda kind, content: bytes((kind, 3, 1)) + len(content).to_bytes(2, "big") + content,
    st.sampled_from([20, 21, 22, 23]),
    st.binary(max_size=300),
)


@given(st.lists(records, min_size=1, max_size=5), st.binary(max_size=20), st.data())
def test_nothing_is_taken_that_is_behind_a_record(
    stream: list[bytes], behind: bytes, data: st.DataObject
) -> None:
    reader, sent = HandshakeRecords(), b"".join(stream)
    waiting, taken = sent + behind, 0
    ends: list[int] = []
    while len(ends) < len(stream):
        assert taken < len(sent), "more was asked for than the record has"
        most = reader.wanted_bytes
        count = data.draw(st.integers(1, most))
        piece, waiting = waiting[:count], waiting[count:]
        taken += len(piece)
        if reader.take(piece):
            ends.append(taken)
    assert ends == [sum(map(len, stream[: number + 1])) for number in range(len(stream))]
    assert waiting == behind
    assert reader.taken_bytes == len(sent)


@given(st.binary(min_size=5, max_size=60))
def test_what_can_be_no_record_is_looked_at_with_its_header(garbage: bytes) -> None:
    reader = HandshakeRecords()
    header = garbage[:5]
    assert reader.wanted_bytes == 5
    looked_at = reader.take(header)
    is_none = header[1] != 3 or int.from_bytes(header[3:], "big") > 16 << 10
    assert looked_at == (is_none or header[3:] == b"\0\0")


def test_a_handshake_has_an_end() -> None:
    reader, empty = HandshakeRecords(), b"\x16\x03\x01\0\0"
    for _ in range(MOST_HANDSHAKE_BYTES // len(empty)):
        assert reader.take(empty)
    with pytest.raises(TlsError):
        reader.take(empty)
