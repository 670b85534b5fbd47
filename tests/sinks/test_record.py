"""The record beside a connection's audit files."""

import json
from datetime import datetime
from pathlib import Path

from tests.sinks.rig import rig


def only_record(directory: Path) -> dict[str, str]:
    [path] = directory.glob("*/*.json")
    record: dict[str, str] = json.loads(path.read_text())
    return record


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
