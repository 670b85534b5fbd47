from pathlib import Path

import pytest

from tools.bench import peers, proxy_configs, selection
from tools.bench.commands.proxy import growth_steps
from tools.bench.errors import BenchError
from tools.bench.works.catalogue import catalogue

KNOWN = {"bulk1": 1, "bulk8": 8, "idle": 0}


def test_picks_in_the_order_named_and_each_once() -> None:
    assert selection.pick("idle, bulk1,idle", KNOWN, "work") == [0, 1]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("bulk2", r"unknown work 'bulk2' \(known: bulk1, bulk8, idle\); did you mean bulk"),
        (" , ", "no work named"),
    ],
)
def test_unknown_names_are_told_with_the_known_ones(wanted: str, words: str) -> None:
    with pytest.raises(BenchError, match=words):
        selection.pick(wanted, KNOWN, "work")


def test_variant_is_spliceproxy_with_more_options(tmp_path: Path) -> None:
    peer = selection.variant("spliceproxy-small=--splice off --backlog 8", ["spliceproxy"])
    argv = peer.command(proxy_configs.Relay(1, 2, tmp_path))
    assert peer.name == "spliceproxy-small"
    assert argv[:5] == ["spliceproxy", "--listen", "127.0.0.1:1", "--backend", "127.0.0.1:2"]
    assert argv[-4:] == ["--splice", "off", "--backlog", "8"]


@pytest.mark.parametrize("text", ["spliceproxy-copy", "=--splice off"])
def test_variant_without_name_or_options_is_refused(text: str) -> None:
    with pytest.raises(BenchError, match="NAME=OPTIONS"):
        selection.variant(text, ["spliceproxy"])


def test_missing_peer_is_told_in_one_line() -> None:
    there = peers.built_in()[peers.DIRECT]
    gone = peers.spliceproxy("gone", ["no-such-program"])
    versions, reasons = selection.installed_peers([there, gone])
    assert list(versions) == [there]
    assert reasons == ["gone: not found (`no-such-program` does not run)"]


def test_peer_is_left_out_of_works_that_make_no_sense_for_it() -> None:
    known = peers.built_in()
    works = catalogue(100, (10, 100))
    fit, reasons = selection.fit_peers(works["idle"], [known["socat"], known["nginx"]])
    assert fit == [known["nginx"]]
    assert reasons == ["socat from idle: one process per connection"]


@pytest.mark.parametrize(
    ("quick", "fitting", "steps"),
    [
        (False, 12_000, (10, 100, 1_000, 10_000)),
        (False, 9_700, (10, 100, 1_000, 9_700)),
        (False, 500, (10, 100, 500)),
        (True, 9_700, (10, 1_000)),
    ],
)
def test_growth_ends_where_open_files_end(
    quick: bool, fitting: int, steps: tuple[int, ...]
) -> None:
    assert growth_steps(quick=quick, fitting=fitting) == steps
