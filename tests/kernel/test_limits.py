"""The file limit, and how many connections it allows."""

import resource
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.kernel.limits import (
    connections_that_fit,
    descriptors_for,
    file_limit,
    pipes_that_fit,
    raise_file_limit,
)


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    """The limits before; they are the same afterwards."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@given(connections=st.integers(1, 10_000_000))
def test_the_limit_that_is_asked_for_is_enough(connections: int) -> None:
    assert connections_that_fit(descriptors_for(connections)) >= connections


@given(descriptors=st.integers(300, 10_000_000))
def test_connections_and_their_pipes_fit(descriptors: int) -> None:
    fit = connections_that_fit(descriptors)
    assert 2 * fit + 2 * pipes_that_fit(descriptors) < descriptors
    assert connections_that_fit(descriptors + 1) >= fit


@pytest.mark.parametrize("descriptors", [0, 3, 20, 64])
def test_a_tiny_limit_still_serves_one(descriptors: int) -> None:
    assert connections_that_fit(descriptors) == 1


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
