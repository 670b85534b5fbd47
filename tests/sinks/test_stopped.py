"""A stream to a mirror that was attached, and that ends before its connection does."""

from pathlib import Path

import pytest

from spliceproxy.sinks.attached_connection import AttachedBranch
from spliceproxy.sinks.tapped_connection import TappedConnection
from tests.sinks.rig import MODES, Mode, rig

COPIED, LATER = b"copied" * 10_000, b"later" * 10_000


def copy_of_request(directory: Path, suffix: str) -> bytes:
    [copy] = directory.glob(f"*/*-request{suffix}")
    return copy.read_bytes()


@pytest.mark.parametrize("why", ["", "stopped_by_operator"])
@pytest.mark.parametrize("mode", MODES)
async def test_what_comes_while_it_ends_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode, why: str
) -> None:
    monkeypatch.setattr(TappedConnection, "branch_class", AttachedBranch)
    async with rig(f"file:{tmp_path}", mode=mode) as it:
        it.offer(COPIED)
        it.tapped.stop(it.mirrors.mirrors[0], why)
        it.offer(LATER)  # its thread is still at work on the file
        it.end()
        await it.over()
        [request, _] = it.tapped.report()
        it.check_accounts()
    assert request["offered_bytes"] == request["delivered_bytes"] == len(COPIED)
    assert request["reason"] == why
    assert copy_of_request(tmp_path, ".incomplete" if why else "") == COPIED
