"""The directory of a `file:` mirror: which descriptors it keeps, and what it makes anew."""

import json
import os
import shutil
import threading
from pathlib import Path

import pytest

from spliceproxy.sinks.file_directory import FileDirectory
from tests.descriptors import open_descriptors

FIRST, SECOND = "20260101T000000.000000Z-a-1-000001", "20260102T000000.000000Z-a-1-000002"


@pytest.fixture
def directory(tmp_path: Path) -> FileDirectory:
    return FileDirectory(str(tmp_path), trusted=False)


def create(directory: FileDirectory, connection: str, name: str) -> None:
    os.close(directory.create(connection, name))


def test_one_day_stays_open_whatever_the_order_of_the_days(directory: FileDirectory) -> None:
    before = len(open_descriptors())
    for number, connection in enumerate((FIRST, SECOND, FIRST, SECOND, FIRST)):
        create(directory, connection, f"{connection}-{number}")
        directory.write_record(f"{connection}{number}", {})
        assert len(open_descriptors()) == before + 2
    directory.close()
    assert len(open_descriptors()) == before


def test_a_day_that_was_removed_is_made_again(directory: FileDirectory, tmp_path: Path) -> None:
    create(directory, FIRST, "a")
    shutil.rmtree(tmp_path / "2026-01-01")
    create(directory, FIRST, "b")
    shutil.rmtree(tmp_path / "2026-01-01")
    directory.write_record(FIRST, {"reason": "closed"})
    [record] = tmp_path.glob("*/*")
    assert json.loads(record.read_text()) == {"reason": "closed"}
    directory.close()


def test_threads_share_the_days(directory: FileDirectory, tmp_path: Path) -> None:
    before = len(open_descriptors())

    def work(thread: int) -> None:
        for number in range(300):
            connection = (FIRST, SECOND)[(number + thread) // 7 % 2]
            create(directory, connection, f"{thread}-{number}")
            directory.rename(connection, f"{thread}-{number}", f"{thread}-{number}-done")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(tmp_path.glob("*/*-done"))) == 900
    directory.close()
    assert len(open_descriptors()) == before
