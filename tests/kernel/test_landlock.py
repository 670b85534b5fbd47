"""Files that are out of reach, on this kernel and as others would be asked."""

import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from spliceproxy.kernel import landlock
from spliceproxy.kernel.capabilities import forbid_new_privileges
from spliceproxy.kernel.landlock import (
    CHANGE,
    READ,
    Argument,
    FileAccess,
    find_abi,
    handled_access,
    restrict_files,
)
from tests.child import in_child
from tests.descriptors import open_descriptors

needs_landlock = pytest.mark.skipif(not find_abi(), reason="this kernel has no Landlock")


def tried(do: Callable[[], object]) -> str:
    """Return the name of the errno, or "" where there is none."""
    try:
        do()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return ""


def restricted(allowed: dict[str, FileAccess], *attempts: Callable[[], object]) -> list[str]:
    def do() -> list[str]:
        forbid_new_privileges()
        before = open_descriptors()
        restrict_files(allowed, find_abi())
        assert open_descriptors() == before
        return [tried(attempt) for attempt in attempts]

    # What counts descriptors reads there.
    return in_child(lambda: do())


@needs_landlock
def test_what_is_not_allowed_is_out_of_reach(tmp_path: Path) -> None:
    for name in ("read", "changed", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("text")
    link = tmp_path / "changed" / "link"
    link.symlink_to(tmp_path / "other" / "file")
    found = restricted(
        {
            str(tmp_path / "read"): READ,
            str(tmp_path / "changed"): CHANGE,
            str(tmp_path / "absent"): CHANGE,
            "/proc": READ,
        },
        (tmp_path / "read" / "file").read_text,
        lambda: (tmp_path / "read" / "file").write_text("new"),
        lambda: list((tmp_path / "read").iterdir()),
        lambda: (tmp_path / "changed" / "file").write_text("new"),
        lambda: os.close(os.open(tmp_path / "changed", os.O_TMPFILE | os.O_RDWR)),
        (tmp_path / "changed" / "sub").mkdir,
        lambda: (tmp_path / "changed" / "file").rename(tmp_path / "changed" / "sub" / "moved"),
        (tmp_path / "changed" / "sub" / "moved").unlink,
        (tmp_path / "changed" / "sub").rmdir,
        (tmp_path / "other" / "file").read_text,
        link.read_text,
        lambda: list((tmp_path / "other").iterdir()),
        lambda: (tmp_path / "changed" / "new").symlink_to("/etc"),
        lambda: os.mkfifo(tmp_path / "changed" / "fifo"),
        lambda: subprocess.run(["/bin/true"], check=True),
        lambda: os.kill(os.getppid(), 0),
    )
    signal = "EPERM" if find_abi() >= 6 else ""
    assert found == ["", "EACCES", *[""] * 7, *["EACCES"] * 6, signal]


@needs_landlock
def test_a_file_may_be_allowed_alone(tmp_path: Path) -> None:
    alone, other = tmp_path / "alone", tmp_path / "other"
    alone.write_text("text")
    other.write_text("text")
    found = restricted(
        {str(alone): CHANGE, "/proc": READ},
        alone.read_text,
        lambda: alone.write_text("new"),
        other.read_text,
    )
    assert found == ["", "", "EACCES"]


@needs_landlock
def test_what_was_open_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("w") as file:
        assert restricted({"/proc": READ}, lambda: os.write(file.fileno(), b"on")) == [""]
    assert path.read_text() == "on"


class OtherKernel:
    """Notes calls, and answers them as a kernel with some version, or without."""

    def __init__(self, abi: int) -> None:
        self.abi = abi
        self.calls: list[tuple[int, list[int | None]]] = []
        self.rulesets: list[tuple[int, int, int]] = []
        self.rules: list[int] = []

    def system_call(self, number: int, *arguments: Argument) -> int:
        numbers = [one for one in arguments if isinstance(one, int | None)]
        self.calls.append((number, numbers))
        if not self.abi:
            raise OSError(errno.ENOSYS, "no")
        for one in arguments:
            if isinstance(one, landlock._RulesetAttr):
                told = (one.handled_access_fs, one.handled_access_net, one.scoped)
                self.rulesets.append(told)
                return os.open(os.devnull, os.O_RDONLY)
            if isinstance(one, landlock._PathBeneathAttr):
                self.rules.append(one.allowed_access)
        return self.abi if numbers == [None, 0, 1] else 0


def other_kernel(abi: int, monkeypatch: pytest.MonkeyPatch) -> OtherKernel:
    kernel = OtherKernel(abi)
    monkeypatch.setattr(landlock, "system_call", kernel.system_call)
    return kernel


@pytest.mark.parametrize(
    ("abi", "size", "bits", "scopes"),
    [(1, 8, 13, 0), (2, 8, 14, 0), (3, 8, 15, 0), (4, 16, 15, 0), (5, 16, 16, 0), (6, 24, 16, 3)],
)
def test_a_kernel_is_asked_for_what_its_version_has(
    abi: int, size: int, bits: int, scopes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = other_kernel(abi, monkeypatch)
    assert find_abi() == abi
    file = tmp_path / "file"
    file.touch()
    restrict_files({str(tmp_path): CHANGE, str(file): CHANGE, "/nowhere": READ}, find_abi())
    assert kernel.rulesets == [((1 << bits) - 1, 0, scopes)]
    of_file = READ | FileAccess.WRITE_FILE | FileAccess.TRUNCATE
    of_file &= ~FileAccess.READ_DIR
    assert kernel.rules == [CHANGE & handled_access(abi), of_file & handled_access(abi)]
    numbers = [number for number, _ in kernel.calls[2:]]
    assert numbers == [444, 445, 445, 446]
    assert kernel.calls[2][1] == [size, 0]
    # Abstract sockets may be needed; signals to others never are.
    restrict_files({}, abi, reach_abstract_sockets=True)
    assert kernel.rulesets[1] == ((1 << bits) - 1, 0, scopes & 0b10)


def test_a_kernel_without(monkeypatch: pytest.MonkeyPatch) -> None:
    other_kernel(0, monkeypatch)
    assert find_abi() == 0


def test_a_refusal_is_told_and_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = other_kernel(7, monkeypatch)

    def refuse(number: int, *arguments: Argument) -> int:
        if number == 446:
            raise PermissionError(errno.EPERM, "no")
        return kernel.system_call(number, *arguments)

    monkeypatch.setattr(landlock, "system_call", refuse)
    before = open_descriptors()
    with pytest.raises(PermissionError):
        restrict_files({str(tmp_path): READ}, 7)
    assert open_descriptors() == before
