"""Merging what several writers tell."""

from collections.abc import Iterator
from itertools import chain
from operator import itemgetter

from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.capture.merge import merged

Item = tuple[int, int, int]
"""Time, writer, and which of its items it is."""
_time_of = itemgetter(0)

_times = st.lists(st.integers(0, 30), max_size=12)
_sizes = st.integers(1, 4)


def told(writer: int, times: list[int], size: int) -> Iterator[list[Item]]:
    """What a writer tells, in batches of a size, and one that is empty."""
    items = [(time_ns, writer, number) for number, time_ns in enumerate(times)]
    return iter([[], *(items[at : at + size] for at in range(0, len(items), size))])


@given(st.lists(st.tuples(st.integers(0, 30), _times, _sizes), max_size=5))
def test_nothing_is_lost_and_the_order_of_each_writer_stands(
    writers: list[tuple[int, list[int], int]],
) -> None:
    sources = [
        (began_ns, told(number, times, size))
        for number, (began_ns, times, size) in enumerate(writers)
    ]
    found = list(chain.from_iterable(merged(sources, _time_of)))
    for number, (_, times, _) in enumerate(writers):
        assert [item[0] for item in found if item[1] == number] == times
    assert len(found) == sum(len(times) for _, times, _ in writers)


@given(st.lists(st.tuples(_times.map(sorted), _sizes), max_size=5))
def test_the_order_of_time_is_that_of_all(writers: list[tuple[list[int], int]]) -> None:
    sources = [
        (min(times, default=0), told(number, times, size))
        for number, (times, size) in enumerate(writers)
    ]
    found = [item[0] for batch in merged(sources, _time_of) for item in batch]
    assert found == sorted(found)


def test_a_writer_is_not_read_before_its_time_nor_held_when_it_is_over() -> None:
    events: list[str] = []

    def tell(name: str, times: list[int]) -> Iterator[list[Item]]:
        events.append(f"{name} begins")
        for time_ns in times:
            yield [(time_ns, 0, 0)]
        events.append(f"{name} ends")

    writers = [(at, tell(f"writer {at}", [at, at + 5])) for at in (0, 10, 20)]
    for batch in merged(writers, _time_of):
        events += [str(item[0]) for item in batch]
    assert events == [
        *("writer 0 begins", "0", "5", "writer 0 ends"),
        *("writer 10 begins", "10", "15", "writer 10 ends"),
        *("writer 20 begins", "20", "25", "writer 20 ends"),
    ]
