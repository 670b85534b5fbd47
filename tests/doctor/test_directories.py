"""Directories of file mirrors that others could redirect are found before a start."""

from pathlib import Path

from spliceproxy.doctor.directories import check_owners
from spliceproxy.doctor.finding import FindingStatus


def test_each_that_is_there_is_looked_at(tmp_path: Path) -> None:
    own, shared = tmp_path / "own", tmp_path / "shared"
    own.mkdir()
    shared.mkdir()
    shared.chmod(0o777)
    first, second = check_owners([own, tmp_path / "absent", shared])
    assert (first.check, first.status) == (f"mirrors.directory:{own}", FindingStatus.OK)
    assert (second.check, second.status) == (f"mirrors.directory:{shared}", FindingStatus.WARN)
    assert "others may write into" in second.fact
    assert "chmod go-w" in second.remedy
