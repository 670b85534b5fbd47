"""A ring behaves as a bounded queue of bytes, whichever way its ends wake each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.companions.ring.opened import WAKES, both_ends, each_wake, take
from tools.companions.ring.errors import ReaderGoneError, RingCorruptError, RingTimeoutError
from tools.companions.ring.ring import Wake

TIMEOUT_S = 0.01

OPERATIONS = st.lists(
    st.one_of(st.binary(max_size=40), st.integers(min_value=0, max_value=40)), max_size=60
)
"""Bytes are written, a number is read."""


@given(
    wake=st.sampled_from(WAKES),
    capacity_bytes=st.integers(min_value=1, max_value=33),
    operations=OPERATIONS,
)
def test_bytes_come_out_as_from_a_bounded_queue(
    wake: Wake, capacity_bytes: int, operations: list[bytes | int]
) -> None:
    model = b""
    with both_ends(capacity_bytes, wake) as (writer, reader):
        for operation in operations:
            if isinstance(operation, bytes):
                count = writer.put(memoryview(operation))
                assert count == min(len(operation), capacity_bytes - len(model))
                model += operation[:count]
            else:
                taken = take(reader, operation)
                # A reader takes what it knows of before it asks for news.
                assert taken == model[: len(taken)]
                assert bool(taken) == bool(model and operation)
                model = model[len(taken) :]
        writer.close()
        rest = b""
        buffer = memoryview(bytearray(7))
        while count := reader.read_into(buffer, TIMEOUT_S):
            rest += buffer[:count]
        assert rest == model


@each_wake
def test_an_end_is_met_after_all_bytes_and_stays(wake: Wake) -> None:
    with both_ends(8, wake) as (writer, reader):
        writer.write(b"last", TIMEOUT_S)
        writer.close()
        writer.close()
        buffer = memoryview(bytearray(3))
        counts = [reader.read_into(buffer, TIMEOUT_S) for _ in range(4)]
        assert counts == [3, 1, 0, 0]


@each_wake
def test_a_writer_learns_that_the_reader_closed(wake: Wake) -> None:
    with both_ends(4, wake) as (writer, reader):
        reader.close()
        with pytest.raises(ReaderGoneError):
            writer.write(b"more than fits", TIMEOUT_S)


@each_wake
def test_neither_end_waits_for_ever(wake: Wake) -> None:
    with both_ends(4, wake) as (writer, reader):
        with pytest.raises(RingTimeoutError, match=r"did nothing for 0\.01 s"):
            reader.read_into(memoryview(bytearray(1)), TIMEOUT_S)
        with pytest.raises(RingTimeoutError):
            writer.write(b"12345", TIMEOUT_S)
        assert take(reader, 9) == b"1234"


@each_wake
def test_counts_beyond_the_capacity_are_not_believed(wake: Wake) -> None:
    with both_ends(4, wake) as (writer, reader):
        writer._outgoing.add(5)
        with pytest.raises(RingCorruptError, match="5 bytes announced in a ring of 4"):
            take(reader, 1)


@each_wake
def test_a_room_that_nobody_freed_is_not_believed(wake: Wake) -> None:
    with both_ends(4, wake) as (writer, reader):
        reader._outgoing.add(1)
        with pytest.raises(RingCorruptError):
            writer.put(memoryview(b"12345"))


@pytest.mark.skipif("poll" not in WAKES, reason="polling is for x86")
def test_a_count_that_goes_backwards_is_not_believed() -> None:
    with both_ends(4, "poll") as (writer, reader):
        writer.put(memoryview(b"1234"))
        assert take(reader, 4) == b"1234"
        writer._outgoing.add(-2)
        with pytest.raises(RingCorruptError):
            take(reader, 4)
