"""The names of segments."""

from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.formats.capture.layout import SegmentHeader
from spliceproxy.formats.capture.names import SegmentName, name_segment, parse_segment_name

_headers = st.builds(
    SegmentHeader,
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 10**19),
    st.just(0),
)


@given(_headers)
def test_names_are_taken_apart(header: SegmentHeader) -> None:
    name = name_segment(header)
    stamp = name.partition("-")[0]
    assert parse_segment_name(name) == SegmentName(
        name, stamp, header.writer, header.segment, is_open=False
    )
    opened = parse_segment_name(name + ".open")
    assert opened is not None
    assert opened.is_open


@given(_headers, _headers)
def test_names_sort_by_time(one: SegmentHeader, other: SegmentHeader) -> None:
    if one.wall_ns // 1000 < other.wall_ns // 1000:
        assert name_segment(one) < name_segment(other)


@given(st.text(max_size=80))
def test_others_have_other_names(text: str) -> None:
    assert parse_segment_name(text) is None
