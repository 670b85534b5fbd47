"""A private map keeps its writes to itself, a shared one has them in the file at once."""

from click.testing import CliRunner

from tools.companions.pagecache.__main__ import main
from tools.companions.pagecache.sharing import PAGES, observe


def test_a_private_map_copies_each_page_that_is_written() -> None:
    private = observe("private")
    assert not private.is_seen_by_read
    assert not private.is_seen_by_other_maps
    assert private.faults_of_writing >= PAGES


def test_a_shared_map_writes_into_the_page_cache() -> None:
    shared = observe("shared")
    assert shared.is_seen_by_read
    assert shared.is_seen_by_other_maps


def test_both_are_shown() -> None:
    outcome = CliRunner().invoke(main, ["sharing"])
    assert outcome.exit_code == 0
    assert [line.split()[0] for line in outcome.stdout.splitlines()[2:]] == ["private", "shared"]
