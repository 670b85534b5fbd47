"""A file's job that fails in a way that nobody foresaw ends its stream, and is told of."""

from pathlib import Path
from typing import NoReturn

import pytest
import trio

from spliceproxy.sinks.file_directory import FileDirectory
from tests.proxy.payload import random_bytes
from tests.sinks.places import FilePlace
from tests.sinks.rig import rig


@pytest.mark.parametrize("step", ["create", "rename"])
@pytest.mark.parametrize("overflow", ["detach", "gap", "block"])
async def test_the_stream_ends_and_its_account_is_closed(
    step: str,
    overflow: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*arguments: object) -> NoReturn:
        raise MemoryError("none left")

    monkeypatch.setattr(FileDirectory, step, fail)
    with trio.fail_after(20):
        async with rig(f"{FilePlace(tmp_path).text}?overflow={overflow}") as mirrored:
            mirrored.offer(random_bytes(1000))
            mirrored.end()
            await mirrored.over()
            branch = mirrored.branch
            assert branch.reason == "internal_error: none left"
            assert branch.dropped_bytes == (1000 if step == "create" else 0)
    assert "internal_error" in capsys.readouterr().out
