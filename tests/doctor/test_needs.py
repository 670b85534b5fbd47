"""What a routes file needs of the kernel."""

from pathlib import Path

import pytest

from spliceproxy.doctor.needs import (
    Need,
    count_full_size_pipes,
    count_workers,
    find_needs,
    mirror_directories,
)
from spliceproxy.kernel.cpus import usable_cpus
from spliceproxy.settings.proxy import Settings
from tests.doctor.routes import routes

T, M = Need.TRAFFIC, Need.MIRRORS


@pytest.mark.parametrize(
    ("settings", "needs"),
    [
        (None, {T}),
        (routes(), {T}),
        (routes(mirrors=["tcp://a:1"]), {T, M}),
        (routes(mirrors=["file:/a", "null:"]), {T, M, Need.FILE_MIRRORS, Need.NULL_MIRRORS}),
        (routes(mirrors=["file:/a"], splice=False), set()),
    ],
)
def test_who_is_there(settings: Settings | None, needs: set[Need]) -> None:
    assert find_needs(settings) == needs


def test_directories_of_mirrors() -> None:
    settings = routes(mirrors=["file:/a", "null:", "file:/b", "file:/a"])
    assert mirror_directories(settings) == [Path("/a"), Path("/b")]
    assert mirror_directories(None) == []


def test_pipes_of_all_workers() -> None:
    assert count_workers(None) == usable_cpus()
    assert count_full_size_pipes(None) == usable_cpus() * 64
    assert count_full_size_pipes(routes(workers=3)) == 3 * 64
    assert count_full_size_pipes(routes(workers=3, mirrors=["null:"])) == 3 * (64 + 32)
