"""The file limit, and how many connections it allows."""

import resource
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.kernel.limits import (
    descriptors_left,
    file_limit,
    file_limit_for,
    pipes_that_fit,
    raise_file_limit,
)


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    """The limits before; they are the same afterwards."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@given(descriptors=st.integers(1, 20_000_000))
def test_the_limit_that_is_asked_for_is_enough(descriptors: int) -> None:
    assert descriptors_left(file_limit_for(descriptors)) >= descriptors


@given(limit=st.integers(300, 10_000_000))
def test_connections_and_their_pipes_fit(limit: int) -> None:
    left = descriptors_left(limit)
    assert left + 2 * pipes_that_fit(limit) < limit
    assert descriptors_left(limit + 1) >= left - 2  # another pipe, at times


@pytest.mark.parametrize("limit", [0, 3, 20, 64])
def test_a_tiny_limit_leaves_none(limit: int) -> None:
    assert descriptors_left(limit) == 0


def test_the_soft_limit_is_raised_to_the_hard_one(limits: tuple[int, int]) -> None:
    _, hard = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    assert file_limit() == 512
    assert raise_file_limit(0) == hard
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)


def test_the_hard_limit_is_raised_where_rights_allow(limits: tuple[int, int]) -> None:
    _, hard = limits
    raised = raise_file_limit(hard + 1)
    assert raised in {hard, hard + 1}
    assert file_limit() == raised


def test_a_wish_that_nothing_can_grant(limits: tuple[int, int]) -> None:
    _, hard = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    assert raise_file_limit(1 << 40) == hard
