"""What is left to a worker and to the admin process, tried by processes that are left with it."""

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.credentials import Identity
from spliceproxy.kernel.landlock import READ, find_abi
from spliceproxy.master.privileges import Privileges, find_identity, find_privileges
from spliceproxy.master.sandbox import find_files, starts_programs
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.attach_grants import parse_grant
from spliceproxy.settings.listen_address import parse_listen
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.settings.proxy import Settings
from spliceproxy.settings.single_route import single_route
from tests.child import in_child

NOBODY = Identity(65534, 65534, (65534,), "nobody", "/nonexistent")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can be another user")
needs_landlock = pytest.mark.skipif(not find_abi(), reason="this kernel has no Landlock")

Confine = Callable[[Privileges], None]


def settings_with(*mirrors: str, **options: Any) -> Settings:
    return single_route(
        (TcpAddress("127.0.0.1", 80),),
        (TcpAddress("127.0.0.1", 9),),
        mirrors=tuple(map(parse_mirror, mirrors)),
        **options,
    )


def with_grants(*grants: str) -> Settings:
    return settings_with(
        admin_listen=(parse_listen("unix:/run/admin"),),
        admin_attach=tuple(map(parse_grant, grants)),
    )


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that everybody can reach, with others for everybody in it, and a file."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        root = Path(name)
        root.chmod(0o755)
        for inner in ("audit", "granted", "other"):
            (root / inner).mkdir()
            (root / inner).chmod(0o777)
        (root / "file").write_text("text")
        yield root


def outcomes(
    settings: Settings, confine: Confine, *attempts: Callable[[], object], abi: int | None = None
) -> list[bool]:
    """Return which attempts succeed for a process that is left with that."""

    def succeeds(attempt: Callable[[], object]) -> bool:
        try:
            attempt()
        except PermissionError:
            return False
        return True

    def do() -> list[bool]:
        confine(Privileges(settings, NOBODY, find_abi() if abi is None else abi))
        return [succeeds(attempt) for attempt in attempts]

    return in_child(do)


def worker(privileges: Privileges) -> None:
    privileges.confine_worker(privileges.settings)


def admin_process(privileges: Privileges) -> None:
    privileges.confine_admin_process()


def write_into(directory: Path) -> Callable[[], object]:
    return lambda: (directory / "new").write_text("new")


def run_program() -> object:
    return subprocess.run(["/bin/true"], check=True)


@needs_root
@needs_landlock
def test_a_worker_is_left_with_what_its_configuration_names(directory: Path) -> None:
    settings = settings_with(f"file:{directory}/audit", "null:")
    found = outcomes(
        settings,
        worker,
        write_into(directory / "audit"),
        Path("/etc/hosts").read_text,
        Path("/etc/resolv.conf").read_text,
        lambda: list(Path("/usr/lib").iterdir()),
        lambda: Path("/dev/null").write_text("gone"),
        Path("/proc/sys/net/ipv4/ip_local_port_range").read_text,
        Path("/proc/1/stat").read_text,  # which processes write files still
        lambda: list(Path("/sys/fs/cgroup").iterdir()),  # how much memory there is
        write_into(directory / "other"),
        (directory / "file").read_text,
        write_into(Path(tempfile.gettempdir())),
        run_program,
    )
    assert found == [True] * 8 + [False] * 4


@needs_root
@needs_landlock
def test_the_admin_process_is_left_with_what_may_be_attached(directory: Path) -> None:
    found = outcomes(
        with_grants("tcp", f"file:{directory}/granted"),
        admin_process,
        lambda: (directory / "granted" / "new").mkdir(),
        Path("/proc/1/status").read_text,
        write_into(directory / "other"),
        (directory / "file").read_text,
        run_program,
    )
    assert found == [True] * 2 + [False] * 3


@needs_root
@pytest.mark.parametrize(("mirror", "abi"), [("exec:cat", None), ("null:", 0)])
def test_without_a_sandbox_the_users_rights_are_left(
    mirror: str, abi: int | None, directory: Path
) -> None:
    found = outcomes(
        settings_with(mirror),
        worker,
        (directory / "file").read_text,
        run_program,
        lambda: os.setuid(0),
        lambda: Path("/etc/shadow").read_text(),
        abi=abi,
    )
    assert found == [True, True, False, False]


def test_a_filter_that_lets_no_rights_be_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_kept: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("spliceproxy.master.privileges.keep_capabilities", refuse)

    def do() -> str:
        with pytest.raises(StartProblem) as caught:
            Privileges(settings_with(), NOBODY).confine_master()
        return str(caught.value)

    assert "cannot be given up (Operation not permitted); allow prctl(2) and capset" in in_child(do)


def test_nothing_changes_without_a_user() -> None:
    def do() -> tuple[object, ...]:
        before = Path("/proc/self/status").read_text()
        privileges = find_privileges(settings_with())
        privileges.confine_master()
        privileges.confine_worker(privileges.settings)
        privileges.confine_admin_process()
        return rights(before), rights(Path("/proc/self/status").read_text())

    before, after = in_child(do)
    assert before == after


def rights(status: str) -> list[str]:
    names = ("Uid", "Gid", "Groups", "Cap", "NoNewPrivs")
    return [line for line in status.splitlines() if line.startswith(names)]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (settings_with("null:", "tcp://127.0.0.1:9"), False),
        (settings_with("null:", "exec:cat"), True),
        (with_grants("tcp", "file:/a"), False),
        (with_grants("exec"), True),
        (settings_with(admin_attach=(parse_grant("exec"),)), False),  # nobody can attach
    ],
)
def test_who_starts_programs(settings: Settings, expected: bool) -> None:
    assert starts_programs(settings) == expected


def test_a_working_directory_that_holds_everything_is_not_pythons(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", ["/", "", "relative", *sys.path])
    files = find_files(settings_with())
    assert not {"/", "", "relative"} & set(files)
    assert files[sys.prefix] == READ


def test_spilling_needs_a_directory() -> None:
    directory = tempfile.gettempdir()
    assert directory not in find_files(settings_with("tcp://127.0.0.1:9"))
    assert directory in find_files(settings_with("tcp://127.0.0.1:9?overflow=spill"))


def test_a_user_by_name_and_number() -> None:
    by_name, by_number = find_identity("nobody", None), find_identity("65534", None)
    assert by_name == by_number
    assert (by_name.uid, by_name.name) == (65534, "nobody")
    assert find_identity("nobody", "1").groups == (1,)
    assert find_identity("987654", "1") == Identity(987654, 1, (1,), "987654", "/")


@pytest.mark.parametrize(
    ("user", "group", "said"),
    [
        ("no-such-user", None, "user: 'no-such-user' is not known"),
        ("nobody", "no-such-group", "group: 'no-such-group' is not known"),
        ("987654", None, "set group too"),
        ("root", None, "is root"),
        ("0", "1", "is root"),
    ],
)
def test_nobody_of_that_name(user: str, group: str | None, said: str) -> None:
    with pytest.raises(StartProblem, match=said):
        find_identity(user, group)
