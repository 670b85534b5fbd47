from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.formats.timestamps import timestamp, timestamp_at


@given(st.integers(0, 4_000_000_000), st.integers(0, 999_999))
def test_a_time_is_written_as_rfc_3339_says(second: int, us: int) -> None:
    when = datetime.fromtimestamp(second, UTC).replace(microsecond=us)
    assert timestamp_at(second + us / 1e6) == f"{when:%Y-%m-%dT%H:%M:%S.%f}Z"


def test_now_is_written_in_the_same_form() -> None:
    before = datetime.now(UTC)
    told = datetime.fromisoformat(timestamp())
    assert before <= told <= datetime.now(UTC)
