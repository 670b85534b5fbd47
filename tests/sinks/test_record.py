"""The record beside a connection's audit files."""

import json
from datetime import datetime
from pathlib import Path

from tests.sinks.rig import rig


def only_record(directory: Path) -> dict[str, str]:
    [path] = directory.glob("*/*.json")
    record: dict[str, str] = json.loads(path.read_text())
    return record


def paths_in(directory: Path, pattern: str) -> list[Path]:
    return sorted(directory.glob(f"*/{pattern}"))


async def test_it_tells_when_the_connection_began_and_ended(tmp_path: Path) -> None:
    async with rig(f"file:{tmp_path}") as mirrored:
        mirrored.offer(b"x")
        mirrored.end()
        await mirrored.over()
    record = only_record(tmp_path)
    started, ended = (datetime.fromisoformat(record[key]) for key in ("started", "ended"))
    assert started <= ended
    assert started.tzinfo is not None
    assert record["reason"] == "closed"


async def test_a_stream_that_was_cut_is_named_so(tmp_path: Path) -> None:
    """All bytes that came are there, and the end is not."""
    async with rig(f"file:{tmp_path}") as mirrored:
        mirrored.offer(b"x")
        mirrored.end(clean=False)
        await mirrored.over()
        assert mirrored.branch.dropped_bytes == 0
    [copy] = paths_in(tmp_path, "*-request*")
    assert copy.name.endswith("-request.incomplete")
    assert copy.read_bytes() == b"x"


async def test_files_are_in_the_directory_of_the_day(tmp_path: Path) -> None:
    async with rig(f"file:{tmp_path}") as mirrored:
        mirrored.offer(b"x")
        mirrored.end()
        await mirrored.over()
    for path in paths_in(tmp_path, "*"):
        assert path.parent.name.replace("-", "") == path.name[:8]
