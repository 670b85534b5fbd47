"""The table of a compressed segment's frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.formats.capture.compressed import (
    FOOTER_BYTES,
    FRAME_BYTES,
    MOST_FRAMES,
    MOST_STORED_BYTES,
    StoredFrame,
    decode_table,
    encode_table,
    frame_lengths,
    table_bytes,
)
from spliceproxy.formats.capture.layout import HEADER_BYTES

frames = st.lists(
    st.tuples(st.integers(1, MOST_STORED_BYTES), st.integers(1, FRAME_BYTES)), max_size=20
)


@given(frames, st.data())
def test_a_table_finds_the_frame_of_each_byte(
    given_frames: list[tuple[int, int]], data: st.DataObject
) -> None:
    encoded = encode_table(given_frames)
    stored = sum(one for one, _ in given_frames)
    content = sum(one for _, one in given_frames)
    assert table_bytes(encoded[-FOOTER_BYTES:]) == len(encoded)
    table = decode_table(encoded, stored)
    assert (len(table), table.stored_bytes, table.content_bytes) == (
        len(given_frames),
        stored,
        content,
    )
    assert table.find(content) is None
    if content:
        at = data.draw(st.integers(0, content - 1))
        number = data.draw(st.just(next(n for n, end in enumerate(ends(given_frames)) if at < end)))
        assert table.find(at) == StoredFrame(
            sum(one for one, _ in given_frames[:number]),
            given_frames[number][0],
            sum(one for _, one in given_frames[:number]),
            given_frames[number][1],
        )


def ends(given_frames: list[tuple[int, int]]) -> list[int]:
    return [sum(one for _, one in given_frames[: n + 1]) for n in range(len(given_frames))]


@given(frames, st.data())
def test_a_damaged_table_is_none_or_another_one(
    given_frames: list[tuple[int, int]], data: st.DataObject
) -> None:
    encoded = bytearray(encode_table(given_frames))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(encoded)))
    for damaged in (bytes(encoded), bytes(encoded[:cut]), bytes(encoded[cut:])):
        try:
            table = decode_table(damaged, sum(one for one, _ in given_frames))
        except ValueError:
            continue
        assert len(table) <= MOST_FRAMES


@pytest.mark.parametrize(
    "frame", [(0, 1), (1, 0), (MOST_STORED_BYTES + 1, 1), (1, FRAME_BYTES + 1)]
)
def test_a_frame_of_a_length_that_none_has_is_refused(frame: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="a frame of"):
        decode_table(encode_table([frame]), frame[0])


def test_a_table_with_checksums_is_read_without_them() -> None:
    plain = encode_table([(10, 20)])
    entry = plain[8:16] + b"\1\2\3\4"
    footer = bytearray(plain[-FOOTER_BYTES:])
    footer[4] = 0x80
    encoded = plain[:4] + (12 + FOOTER_BYTES).to_bytes(4, "little") + entry + footer
    assert decode_table(encoded, 10).content_bytes == 20


@given(st.integers(0, 5 * FRAME_BYTES), st.data())
def test_frames_cover_a_segment_and_the_index_begins_one(size: int, data: st.DataObject) -> None:
    index_at = data.draw(st.none() | st.integers(HEADER_BYTES, max(HEADER_BYTES, size - 1)))
    lengths = list(frame_lengths(size, index_at))
    assert sum(lengths) == size
    assert all(0 < length <= FRAME_BYTES for length in lengths)
    begins = {sum(lengths[:number]) for number in range(len(lengths))}
    assert {at for at in (0, HEADER_BYTES, index_at) if at is not None and at < size} <= begins
