import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.rate import ClientRateLimits, Rate, RateLimit
from tests.meters import OwnClients, OwnMeter


@pytest.mark.parametrize(
    ("per_s", "burst", "times_s", "admitted"),
    [
        (1, 1, [0, 0, 0.5, 1, 1, 2.5, 3], "+--+-+-"),
        (10, 3, [0, 0, 0, 0, 0.1, 0.1, 0.3, 0.3, 0.3], "+++-+-++-"),
        (0.5, 1, [0, 1.9, 2, 2.1], "+-+-"),
        (1, 2, [0, 100, 100, 100], "+++-"),  # a pause saves up no more than the burst
    ],
)
def test_a_rate_with_bursts(per_s: float, burst: int, times_s: list[float], admitted: str) -> None:
    limit = RateLimit(Rate(per_s, burst), OwnMeter())
    assert "".join("-+"[limit.admits(1000.0 + time_s)] for time_s in times_s) == admitted


@given(
    per_s=st.floats(0.1, 1000),
    burst=st.integers(1, 20),
    pauses=st.lists(st.floats(0, 2), min_size=1, max_size=200),
)
def test_no_window_has_more_than_its_share(per_s: float, burst: int, pauses: list[float]) -> None:
    limit = RateLimit(Rate(per_s, burst), OwnMeter())
    now_s = 0.0
    admitted = []
    for pause_s in pauses:
        now_s += pause_s
        if limit.admits(now_s):
            admitted.append(now_s)
    for first, start_s in enumerate(admitted):
        for count, end_s in enumerate(admitted[first:], 1):
            assert count <= burst + (end_s - start_s) * per_s + 1e-3


@given(per_s=st.floats(0.1, 1000), burst=st.integers(1, 20), start_s=st.floats(0, 1e7))
def test_a_client_that_keeps_to_the_rate_is_never_refused(
    per_s: float, burst: int, start_s: float
) -> None:
    limit = RateLimit(Rate(per_s, burst), OwnMeter())
    assert all(limit.admits(start_s + number / per_s * (1 + 1e-9)) for number in range(50))


@pytest.mark.parametrize(
    ("per_s", "burst"), [(0, 1), (-1, 1), (math.inf, 1), (math.nan, 1), (1, 0)]
)
def test_what_is_no_rate(per_s: float, burst: int) -> None:
    with pytest.raises(ValueError, match="rate"):
        Rate(per_s, burst)


def test_clients_have_a_bucket_each() -> None:
    limits = ClientRateLimits(Rate(1), OwnClients())
    assert limits.admits(b"a", 0.0)
    assert not limits.admits(b"a", 0.5)
    assert limits.admits(b"b", 0.5)
    assert limits.admits(b"a", 1.0)


@given(per_s=st.floats(0.1, 1000), burst=st.integers(1, 20))
def test_it_says_when_one_more_may_happen(per_s: float, burst: int) -> None:
    limit = RateLimit(Rate(per_s, burst), OwnMeter())
    now_s = 1000.0
    for number in range(burst):
        assert limit.wait_s(now_s) == 0, number
        assert limit.admits(now_s)
    wait_s = limit.wait_s(now_s)
    assert wait_s > 0
    assert not limit.admits(now_s + 0.9 * wait_s)
    assert limit.admits(now_s + wait_s)
