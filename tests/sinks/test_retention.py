"""Which audit files go, and in which order; and that nothing else is touched."""

import os
import time
from pathlib import Path

import pytest

from spliceproxy.settings.mirror_kinds.retention import KeepFree, Retention
from spliceproxy.sinks import file_retention
from spliceproxy.sinks.file_retention import DaySizes, Sweep, Swept
from tests.sinks.audit_files import DAY_S, FILE_BYTES, AuditFiles

NOW_S = time.time()
OF_A_CONNECTION = 3 * FILE_BYTES


@pytest.fixture
def files(tmp_path: Path) -> AuditFiles:
    return AuditFiles(tmp_path)


def sweep(files: AuditFiles, sizes: DaySizes | None = None, **limits: object) -> Swept:
    fd = os.open(files.directory, os.O_RDONLY)
    try:
        retention = Retention(**limits)  # type: ignore[arg-type]
        return Sweep(fd, retention, sizes or DaySizes(), lambda: False).run()
    finally:
        os.close(fd)


def test_what_is_too_old_goes_with_the_directories_of_its_days(files: AuditFiles) -> None:
    for days in (40, 31, 29, 0):
        files.connection(NOW_S - days * DAY_S)
    swept = sweep(files, max_age_s=30 * DAY_S)
    assert files.left() == ["000003", "000004"]
    assert len(list(files.directory.iterdir())) == 2
    assert (swept.files, swept.size_bytes, swept.exceeded) == (6, 2 * OF_A_CONNECTION, "")
    assert swept.oldest.startswith(time.strftime("%Y%m%dT", time.gmtime(NOW_S - 40 * DAY_S)))
    assert sweep(files, max_age_s=30 * DAY_S) == Swept()


def test_the_age_counts_from_the_end(files: AuditFiles) -> None:
    files.connection(NOW_S - 40 * DAY_S, ended_s=NOW_S - DAY_S)
    files.connection(NOW_S - 40 * DAY_S)
    sweep(files, max_age_s=30 * DAY_S)
    assert files.left() == ["000001"]


def test_within_a_day_the_time_counts(files: AuditFiles) -> None:
    for seconds in (20, 10, 0):
        files.connection(NOW_S - seconds)
    sweep(files, max_age_s=15.0 + time.time() - NOW_S)
    assert files.left() == ["000002", "000003"]


def test_the_oldest_go_until_the_rest_fits(files: AuditFiles) -> None:
    for days in (3, 2, 2, 1):
        files.connection(NOW_S - days * DAY_S)
    sweep(files, max_total_bytes=2 * OF_A_CONNECTION)
    assert files.left() == ["000003", "000004"]
    sweep(files, max_total_bytes=2 * OF_A_CONNECTION - 1)
    assert files.left() == ["000004"]


def test_a_part_of_the_disk_is_kept_free(
    files: AuditFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    for days in (3, 2, 1):
        files.connection(NOW_S - days * DAY_S)
    disk = os.statvfs(files.directory)
    free = disk.f_bavail * disk.f_frsize

    def statvfs(fd: int) -> os.statvfs_result:
        return disk

    monkeypatch.setattr(os, "statvfs", statvfs)
    assert sweep(files, keep_free=KeepFree(free)).files == 0
    assert sweep(files, keep_free=KeepFree(free + OF_A_CONNECTION + 1)).exceeded == ""
    assert files.left() == ["000003"]
    swept = sweep(files, keep_free=KeepFree(fraction=0.999999))
    assert (swept.exceeded, files.left()) == ("keep_free", [])


def test_the_files_of_a_live_connection_stay(files: AuditFiles) -> None:
    """It has no record yet, whatever of its files is complete."""
    for suffixes in (("-request.part",), ("-request", "-response.part"), ("-request.incomplete",)):
        files.connection(NOW_S - DAY_S, ended_s=NOW_S, suffixes=suffixes, pid=os.getpid())
    # It began after this process did.
    began_s = time.time()
    live = files.connection(began_s, suffixes=("-request.part", ".json.part"), pid=os.getpid())
    swept = sweep(files, max_total_bytes=1)
    assert files.left() == [live.rpartition("-")[2]]
    assert swept.exceeded == "max_total"


def test_what_a_crash_has_left_goes(files: AuditFiles) -> None:
    files.connection(NOW_S, suffixes=("-request.part", "-response.incomplete"))
    files.connection(NOW_S - DAY_S, suffixes=("-request.part",), pid=os.getpid())  # not by this one
    swept = sweep(files, max_total_bytes=1)
    assert (files.left(), swept.exceeded) == ([], "")


def test_what_is_not_of_a_mirror_is_left_alone(files: AuditFiles, tmp_path: Path) -> None:
    name = files.connection(0.0)
    day = tmp_path / "1970-01-01"
    outside = tmp_path / "outside"
    outside.mkdir()
    for path in (
        *(tmp_path / f"{name}-request", tmp_path / "1970-01-01T00", outside / f"{name}-request"),
        *(day / "notes", day / f"{name}-request.bak", day / f"x{name}-request"),
        *(day / f"{name}-request\n", day / f"{name}-sideways", day / f"{name}.json~"),
    ):
        path.touch()
    (tmp_path / "1970-01-02").symlink_to("outside")
    (tmp_path / "1970-01-03").touch()
    (day / f"{name[:-1]}9-request").symlink_to("notes")
    (day / f"{name[:-1]}8-request").mkdir()
    before = files.paths()
    swept = sweep(files, max_age_s=1.0, max_total_bytes=1, keep_free=KeepFree(fraction=0.999999))
    assert swept.files == 3
    gone = {f"1970-01-01/{name}{suffix}" for suffix in ("-request", "-response", ".json")}
    assert set(before) - set(files.paths()) == gone


def test_a_sweep_is_bounded_and_the_next_one_goes_on(
    files: AuditFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_retention, "MOST_FILES", 12)
    monkeypatch.setattr(file_retention, "_BATCH_FILES", 7)  # connections are not cut in two
    for _ in range(10):
        files.connection(NOW_S - DAY_S)
    swept = sweep(files, max_total_bytes=1)
    assert (swept.files, swept.has_more, swept.exceeded) == (12, True, "")
    assert files.left() == [f"{number:06}" for number in range(5, 11)]
    while swept.has_more:
        swept = sweep(files, max_age_s=1.0)
    assert (files.left(), swept.exceeded) == ([], "")


def test_a_day_that_does_not_change_is_not_read_again(
    files: AuditFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = DaySizes()
    files.connection(NOW_S - 2 * DAY_S)
    [day] = files.directory.iterdir()
    os.utime(day, (NOW_S - DAY_S, NOW_S - DAY_S))
    files.connection(NOW_S)
    sweep(files, sizes, max_total_bytes=3 * OF_A_CONNECTION)
    assert {name: size for name, (_, size) in sizes.known.items()} == {day.name: OF_A_CONNECTION}
    read: list[str] = []
    real = file_retention._allocated

    def allocated(fd: int, name: str) -> int:
        read.append(name[:8])
        return real(fd, name)

    monkeypatch.setattr(file_retention, "_allocated", allocated)
    sweep(files, sizes, max_total_bytes=3 * OF_A_CONNECTION)
    assert day.name.replace("-", "") not in read
    files.connection(NOW_S - 2 * DAY_S)
    sweep(files, sizes, max_total_bytes=2 * OF_A_CONNECTION)
    assert files.left() == ["000002", "000003"]
