from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.bandwidth import Bandwidth


@given(
    bytes_per_s=st.integers(1, 10**12),
    steps=st.lists(st.tuples(st.floats(0, 10), st.floats(0, 1)), max_size=50),
)
def test_no_more_passes_than_the_time_allows(
    bytes_per_s: int, steps: list[tuple[float, float]]
) -> None:
    bandwidth = Bandwidth(bytes_per_s, 100.0)
    now_s, passed = 100.0, 0
    for pause_s, part in steps:
        now_s += pause_s
        count = int(bandwidth.available(now_s) * part)
        bandwidth.spend(count)
        passed += count
        assert passed <= (now_s - 100.0 + 0.1) * bytes_per_s * (1 + 1e-9) + 1


@given(bytes_per_s=st.integers(1, 10**12))
def test_whoever_waits_as_told_may_pass(bytes_per_s: int) -> None:
    bandwidth = Bandwidth(bytes_per_s, 0.0)
    now_s = 0.0
    for _ in range(20):
        while not bandwidth.available(now_s):
            wait_s = bandwidth.wait_s(now_s)
            assert 0 < wait_s <= max(0.021, 1.1 / bytes_per_s)
            now_s += wait_s + 1e-6
        bandwidth.spend(bandwidth.available(now_s))


def test_what_is_overspent_is_waited_for() -> None:
    bandwidth = Bandwidth(1000, 0.0)
    bandwidth.spend(1100)
    assert bandwidth.available(0.9) == 0
    assert bandwidth.wait_s(0.9) > 0.1
    assert bandwidth.available(1.05) == 50


def test_a_clock_that_stands_or_goes_back_gives_nothing() -> None:
    bandwidth = Bandwidth(1000, 5.0)
    bandwidth.spend(100)
    assert bandwidth.available(4.0) == bandwidth.available(5.0) == 0
