import pytest

from tools.bench.ratios import Spread, best_by_round, spread, to_best


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0, 1.0, 2.0], Spread(2.0, 1.0, 3.0)),
        ([1.0, 2.0, 3.0, 10.0], Spread(2.5, 1.0, 10.0)),
        ([None, 4.0], Spread(4.0, 4.0, 4.0)),
        ([None, None], None),
        ([], None),
    ],
)
def test_spread_leaves_out_failed_rounds(
    values: list[float | None], expected: Spread | None
) -> None:
    assert spread(values) == expected


@pytest.mark.parametrize(
    ("is_higher_better", "expected"),
    [(True, [20.0, 30.0, 7.0, None]), (False, [10.0, 25.0, 7.0, None])],
)
def test_best_is_taken_in_each_round(is_higher_better: bool, expected: list[float | None]) -> None:
    baselines = [[10.0, 30.0, None, None], [20.0, 25.0, 7.0, None]]
    assert best_by_round(baselines, is_higher_better=is_higher_better) == expected


def test_no_baseline_gives_no_best() -> None:
    assert best_by_round([], is_higher_better=True) == []


def test_ratio_is_missing_where_either_side_is_missing_or_zero() -> None:
    assert to_best([6.0, None, 3.0, 1.0], [4.0, 2.0, None, 0.0]) == [1.5, None, None, None]
