import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.jitter import jittered


@pytest.mark.parametrize(("draw", "delay_s"), [(0.0, 8.0), (0.5, 10.0), (0.75, 11.0)])
def test_a_draw_shortens_or_lengthens(draw: float, delay_s: float) -> None:
    assert jittered(10.0, 0.2, draw) == pytest.approx(delay_s)


@given(st.floats(0, 1e6), st.floats(0, 1, exclude_max=True))
def test_no_jitter_no_difference(delay_s: float, draw: float) -> None:
    assert jittered(delay_s, 0.0, draw) == delay_s
