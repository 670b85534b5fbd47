"""Another user's rights, for good and for a moment; capabilities that are given up."""

import os
import pwd
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from spliceproxy.kernel.capabilities import (
    Capability,
    bits,
    forbid_new_privileges,
    has_capabilities,
    keep_capabilities,
    limit_programs,
    permitted_capabilities,
)
from spliceproxy.kernel.credentials import Identity, acting_as, become, make_directories
from tests.child import in_child

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can be another user")

NOBODY = Identity(65534, 65534, (65534, 65533), "nobody", "/nonexistent")


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory of root's that others can reach."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def status(name: str) -> str:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return line.partition(":")[2].strip()
    raise AssertionError(name)


def test_a_user_for_good() -> None:
    def do() -> tuple[object, ...]:
        become(NOBODY)
        become(NOBODY)  # it is already
        with pytest.raises(PermissionError):
            os.setresuid(0, 0, 0)
        return os.getresuid(), os.getresgid(), os.getgroups(), permitted_capabilities()

    assert in_child(do) == ((65534,) * 3, (65534,) * 3, [65533, 65534], 0)


def test_a_user_for_a_moment(directory: Path) -> None:
    before = os.getresuid(), os.getresgid(), os.getgroups(), status("CapEff")
    with acting_as(NOBODY):
        assert (os.getuid(), os.geteuid(), os.getegid()) == (65534,) * 3
        assert os.getgroups() == [65533, 65534]
        assert not os.access(directory, os.W_OK)
        with pytest.raises(PermissionError):
            (directory / "new").mkdir()
    assert (os.getresuid(), os.getresgid(), os.getgroups(), status("CapEff")) == before
    with acting_as(None):
        assert os.getresuid() == before[0]


def test_directories_for_a_user(directory: Path) -> None:
    theirs = directory / "theirs"
    theirs.mkdir()
    os.chown(theirs, NOBODY.uid, NOBODY.gid)
    (directory / "file").touch()
    (directory / "there").mkdir(mode=0o711)
    wanted = [directory / "new", theirs / "new", directory / "there"]
    make_directories([*wanted, directory / "file", directory / "no" / "parent"], NOBODY)
    found = [(path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) for path in wanted]
    assert found == [(65534, 0o700), (65534, 0o700), (0, 0o711)]
    assert not (directory / "no").exists()


def test_capabilities_are_given_up() -> None:
    kept = [Capability.CHOWN, Capability.KILL]

    def do() -> list[object]:
        forbid_new_privileges()
        limit_programs(kept)
        keep_capabilities(kept)
        told = [int(status(name), 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapInh")]
        has = has_capabilities(kept), has_capabilities([*kept, Capability.SETUID])
        limit_programs(())  # without CAP_SETPCAP: it stays as it is
        keep_capabilities(())
        return [told, has, permitted_capabilities(), status("NoNewPrivs")]

    assert in_child(do) == [[bits(kept)] * 3 + [0], (True, False), 0, "1"]


def test_numbers_are_the_kernels() -> None:
    """CAP_SYS_RESOURCE is the 24th, and so on: as capsh(1) names them."""
    assert bits(list(Capability)) == 0x10805EB
    assert pwd.getpwuid(NOBODY.uid).pw_name == "nobody"
