import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.ipc.rows import (
    BUCKETS,
    Kind,
    RowName,
    bucket,
    bucket_bound_us,
    parse_row_name,
    row_name,
)
from spliceproxy.ipc.table_memory import MAX_NAME_BYTES


@given(us=st.integers(0, 2**60))
def test_a_time_is_in_the_first_bucket_that_it_fits(us: int) -> None:
    bounds = [bucket_bound_us(number) for number in range(BUCKETS)]
    fitting = [number for number, bound in enumerate(bounds) if bound is None or us <= bound]
    assert bucket(us) == fitting[0]


def test_buckets_reach_from_microseconds_to_an_hour() -> None:
    assert bucket_bound_us(0) == 4
    assert bucket_bound_us(BUCKETS - 2) == 4**16
    assert bucket_bound_us(BUCKETS - 1) is None


@given(
    kind=st.sampled_from(Kind),
    slot=st.integers(0, 5000),
    labels=st.lists(st.text(), max_size=3),
)
def test_every_name_fits_and_can_be_taken_apart(kind: Kind, slot: int, labels: list[str]) -> None:
    name = row_name(kind, slot, *labels)
    assert 0 < len(name.encode()) <= MAX_NAME_BYTES
    parsed = parse_row_name(name)
    assert parsed is not None
    assert (parsed.kind, parsed.slot, len(parsed.labels)) == (kind, slot, len(labels))
    assert row_name(*parsed[:2], *parsed.labels) == name


def test_short_labels_are_kept() -> None:
    name = row_name(Kind.BACKEND, 3, "web", "10.0.0.1:80")
    assert parse_row_name(name) == RowName(Kind.BACKEND, 3, ("web", "10.0.0.1:80"))


def test_a_tab_and_a_blank_are_not_the_same() -> None:
    one, other = row_name(Kind.MIRROR, 0, "web", "a\tb"), row_name(Kind.MIRROR, 0, "web", "a b")
    assert one != other
    assert one.count("\t") == 3


def test_long_labels_stay_different() -> None:
    one, other = ("x" * 100 + end for end in "ab")
    assert row_name(Kind.MIRROR, 0, "web", one) != row_name(Kind.MIRROR, 0, "web", other)


@pytest.mark.parametrize("name", ["health\tweb", "other", ""])
def test_rows_of_others_are_not_ours(name: str) -> None:
    assert parse_row_name(name) is None
