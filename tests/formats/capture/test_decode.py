"""Reading segments: whole ones, cut ones, garbled ones, and those of an enemy."""

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.formats.capture.decode import (
    Damage,
    NotACaptureError,
    RecordDecoder,
    decode_header,
    decode_text,
    decode_trailer,
)
from spliceproxy.formats.capture.encode import encode_header, encode_record, encode_text
from spliceproxy.formats.capture.index import IndexEntry, decode_entries, encode_entries
from spliceproxy.formats.capture.layout import (
    HEADER_BYTES,
    MAGIC,
    MOST_BLOCK_BYTES,
    MOST_BLOCK_RECORDS,
    MOST_PAYLOAD_BYTES,
    MOST_TEXT_BYTES,
    RECORD_BYTES,
    Flag,
    Record,
    RecordKind,
    SegmentHeader,
)
from spliceproxy.formats.need_more import NeedMore
from tests.formats.capture.segments import HEADER, Segment

numbers = st.integers(0, 2**64 - 1)
_pieces = st.lists(st.integers(1, 200), min_size=1)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    segment = Segment()
    kinds = st.sampled_from([kind for kind in range(1, 256) if kind not in (7, 8)])
    for _ in range(draw(st.integers(0, 8))):
        segment.add(
            draw(kinds),
            draw(numbers),
            draw(numbers),
            draw(numbers),
            draw(st.binary(max_size=60)),
            draw(st.integers(0, 7)),
        )
        if draw(st.booleans()):
            segment.end_block()
    return segment


def decode(data: bytes, pieces: list[int] | None = None) -> tuple[RecordDecoder, list[Record]]:
    """Feed what follows the header, in pieces of these sizes again and again."""
    decoder, records, at, turn = RecordDecoder(), list[Record](), HEADER_BYTES, 0
    while at < len(data):
        size = len(data) if pieces is None else pieces[turn % len(pieces)]
        records += decoder.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    return decoder, records


@given(segments(), _pieces)
def test_what_was_written_comes_back(segment: Segment, pieces: list[int]) -> None:
    data = bytes(segment.data)
    assert decode_header(data) == HEADER
    decoder, records = decode(data, pieces)
    assert records == segment.records[: segment.checked]
    assert records + decoder.end() == segment.records
    assert decoder.damage is None


@given(segments(), st.data())
def test_what_was_cut_short_is_read_to_its_last_whole_record(
    segment: Segment, data: st.DataObject
) -> None:
    length = data.draw(st.integers(HEADER_BYTES, len(segment.data)))
    decoder, records = decode(bytes(segment.data[:length]))
    records += decoder.end()
    whole = [
        record
        for record in segment.records
        if record.at + RECORD_BYTES + len(record.payload) <= length
    ]
    assert records == whole


@given(segments(), st.data())
def test_a_garbled_byte_is_found_out_and_nothing_before_it_is_lost(
    segment: Segment, data: st.DataObject
) -> None:
    segment.end_block()
    at = data.draw(st.integers(HEADER_BYTES, len(segment.data) - 1))
    by = data.draw(st.integers(1, 255))
    unseen = any(
        record.flags & Flag.UNCHECKED
        and record.at + RECORD_BYTES <= at < record.at + RECORD_BYTES + len(record.payload)
        for record in segment.records
    )
    garbled = bytearray(segment.data)
    garbled[at] ^= by
    decoder, records = decode(bytes(garbled))
    assert (decoder.damage is None) == unseen
    if decoder.damage is not None:
        assert records == segment.records[: len(records)]
        assert decoder.damage.at <= at
        assert all(record.at < decoder.damage.at for record in records)
        later = [record for record in segment.records[len(records) :] if record.at > at]
        assert not set(decoder.end()) & set(later)


@given(st.binary(max_size=400), _pieces)
def test_anything_at_all_is_read_without_an_exception(data: bytes, pieces: list[int]) -> None:
    decoder, records = decode(bytes(HEADER_BYTES) + data, pieces)
    assert not records
    decoder.end()


@given(st.integers(MOST_PAYLOAD_BYTES + 1, 2**32 - 1))
def test_a_hostile_length_is_refused_at_once(size: int) -> None:
    decoder = RecordDecoder()
    assert decoder.feed(encode_record(RecordKind.DATA, 0, 1, 2, 3, size)) == []
    assert decoder.damage is not None
    assert decoder.damage.at == HEADER_BYTES
    assert str(size) in decoder.damage.what


def test_a_block_without_an_end_is_not_held_for_ever() -> None:
    decoder = RecordDecoder()
    piece = bytes(1 << 20)
    for number in range(MOST_BLOCK_BYTES // len(piece) + 1):
        decoder.feed(encode_record(RecordKind.DATA, 0, 1, 2, number << 20, len(piece)) + piece)
    assert decoder.damage is not None
    assert decoder.damage.at == HEADER_BYTES


def test_reading_begins_at_any_block() -> None:
    segment = Segment()
    segment.add(RecordKind.DATA, 1, 5, 0, b"first")
    segment.end_block()
    at = len(segment.data)
    segment.add(RecordKind.DATA, 1, 6, 5, b"second")
    segment.end_block()
    decoder = RecordDecoder(at)
    assert decoder.feed(bytes(segment.data[at:])) == segment.records[1:]
    assert decoder.damage is None


def test_the_index_is_found_from_the_end() -> None:
    entries = [IndexEntry(1, 64, 900, 5, 6, 7, 8, 0), IndexEntry(2, 300, 800, 1, 2, 3, 4, 1)]
    payload = encode_entries(entries)
    segment = Segment()
    segment.add(RecordKind.DATA, 1, 5, 0, b"first")
    segment.end_block()
    at = len(segment.data)
    segment.data += (
        encode_record(RecordKind.INDEX, 0, 0, 0, 0, len(payload), crc32(payload)) + payload
    )
    segment.data += encode_record(RecordKind.TRAILER, 0, 0, 9, at)
    assert decode_trailer(bytes(segment.data[-100:])) == at
    decoder, records = decode(bytes(segment.data))
    assert [record.kind for record in records] == [RecordKind.DATA, RecordKind.INDEX]
    assert list(decode_entries(records[1].payload)) == entries
    [trailer] = decoder.end()
    assert trailer.kind == RecordKind.TRAILER
    segment.data[at + RECORD_BYTES] ^= 1
    decoder, _ = decode(bytes(segment.data))
    assert decoder.damage is not None


@given(st.binary(max_size=100))
def test_no_trailer(data: bytes) -> None:
    assert decode_trailer(data) is None


def test_an_index_of_a_part_of_an_entry() -> None:
    with pytest.raises(ValueError, match="65 bytes"):
        decode_entries(bytes(65))


@given(st.builds(SegmentHeader, numbers, st.integers(0, 99), numbers, numbers))
def test_the_header_comes_back(header: SegmentHeader) -> None:
    data = encode_header(header)
    assert len(data) == HEADER_BYTES
    assert decode_header(data) == header
    for length in range(HEADER_BYTES):
        assert decode_header(data[:length]) == NeedMore(HEADER_BYTES)


@given(st.binary(max_size=100))
def test_what_is_not_a_capture(data: bytes) -> None:
    if not MAGIC.startswith(data[:8]):
        with pytest.raises(NotACaptureError, match="not a capture"):
            decode_header(data)


def test_another_version_and_a_damaged_header() -> None:
    with pytest.raises(NotACaptureError, match="version 2"):
        decode_header(encode_header(SegmentHeader(1, 2, 3, 4, version=2)))
    data = bytearray(encode_header(HEADER))
    data[20] ^= 1
    with pytest.raises(NotACaptureError, match="checksum"):
        decode_header(bytes(data))


@given(st.binary(max_size=200))
def test_texts_are_objects_or_refused(data: bytes) -> None:
    try:
        facts = decode_text(data)
    except ValueError:
        return
    assert isinstance(facts, dict)


@pytest.mark.parametrize("data", [b"[" * 10_000, bytes(MOST_TEXT_BYTES + 1), b"[]", b"\xff"])
def test_hostile_texts(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_text(data)


def test_texts_come_back_and_are_bounded() -> None:
    facts = {"route": "web", "mirrors": [{"to": "null:"}]}
    assert decode_text(encode_text(facts)) == facts
    assert decode_text(encode_text({"route": "web", "long": "x" * 99_999})) == {"route": "web"}


def test_a_block_of_nothing_but_headers_is_bounded() -> None:
    head = encode_record(RecordKind.END, 0, 1, 2, 3)
    decoder = RecordDecoder()
    for _ in range(MOST_BLOCK_RECORDS // 1024):
        assert decoder.feed(head * 1024) == []
    assert decoder.damage is None
    assert decoder.feed(head) == []
    damage: Damage | None = decoder.damage
    assert damage is not None
    assert damage.what == f"a block of over {MOST_BLOCK_RECORDS} records"
