"""Started as root with a user: who has which rights then, and that everything works with them."""

import json
import os
import pwd
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from spliceproxy.kernel.capabilities import bits, permitted_capabilities
from spliceproxy.kernel.landlock import find_abi
from spliceproxy.master.privileges import MASTER_KEEPS

from .administered import Administered
from .conftest import StartProxy
from .dropped import (
    GID,
    UID,
    assert_has_nothing,
    group_name,
    needs_root,
    parse_status,
    root_launcher,
    roots_directory,
    status,
)
from .peers import Backend, random_bytes, receive_exactly
from .processes import children, wait_until
from .proxy_command import Launcher, ProxyCommand
from .reloading import RoutesFile, refused, reload, route
from .unprivileged import USER

pytestmark = [pytest.mark.e2e, needs_root]

DATA = random_bytes(300_000)


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with root_launcher() as launcher:
        yield launcher


@pytest.fixture
def directory() -> Iterator[Path]:
    with roots_directory() as directory:
        yield directory


def exchange(proxy: ProxyCommand, backend: Backend, port: int | None = None) -> None:
    """Send something through, and see its connection end."""
    address = ("127.0.0.1", proxy.port if port is None else port)
    with socket.create_connection(address, 20) as client, backend.accept() as server:
        client.sendall(DATA)
        assert receive_exactly(server, len(DATA)) == DATA
        client.shutdown(socket.SHUT_WR)
        assert server.recv(1) == b""
        server.close()
        assert client.recv(1) == b""


def free_privileged_port() -> int:
    for port in range(1023, 512, -1):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    pytest.skip("no port below 1024 is free")


def test_who_has_which_rights(start_proxy: StartProxy, launcher: Launcher, directory: Path) -> None:
    admin = Administered(directory / "admin")
    with Backend() as backend:
        proxy = start_proxy(
            *("--backend", backend.address, "--user", USER, "--workers", "2"),
            *("--admin", f"unix:{admin.path}", "--mirror", f"file:{directory}/audit"),
            launcher=launcher,
        )
        exchange(proxy, backend)
        admin.wait()
        for pid in [*proxy.workers(), proxy.log.all("admin_started")[0]["pid"]]:
            assert_has_nothing(status(pid))
        master = status(proxy.pid)
        descriptors = {
            labels: value
            for (name, labels), value in admin.samples().items()
            if name == "spliceproxy_process_open_fds"
        }
        assert len(descriptors) == 4
        assert min(descriptors.values()) > 2
    assert master["Uid"].split() == ["0"] * 4
    for name in ("CapPrm", "CapEff", "CapBnd"):
        assert int(master[name], 16) == bits(MASTER_KEEPS) & permitted_capabilities()
    assert (int(master["CapInh"], 16), int(master["CapAmb"], 16)) == (0, 0)
    assert master["NoNewPrivs"] == "1"
    [told] = proxy.log.wait("runs_as_user")
    assert (told["user"], told["uid"], told["gid"]) == (USER, UID, GID)
    assert told["sandbox"] == (f"landlock, version {find_abi()}" if find_abi() else "off")
    audit = directory / "audit"
    assert (audit.stat().st_uid, audit.stat().st_gid) == (UID, GID)
    assert audit.stat().st_mode & 0o777 == 0o700
    assert DATA in [path.read_bytes() for path in audit.rglob("*request")]
    assert proxy.log.all("runs_as_root") == []


def test_a_command_has_the_rights_of_its_worker(
    start_proxy: StartProxy, launcher: Launcher, directory: Path
) -> None:
    out = directory / "out"
    out.mkdir()
    os.chown(out, UID, GID)
    script = f"cat /proc/self/status > {out}/status; echo $HOME > {out}/home; cat > /dev/null"
    with Backend() as backend:
        proxy = start_proxy(
            *("--backend", backend.address, "--user", USER, "--group", group_name()),
            *("--workers", "1", "--mirror", f"exec:{script}?shell=yes&env=HOME"),
            launcher=launcher,
        )
        exchange(proxy, backend)
        [ended] = proxy.log.wait("command_ended")
    assert ended["status"] == 0
    assert_has_nothing(parse_status((out / "status").read_text()))
    assert (out / "home").read_text().strip() == pwd.getpwnam(USER).pw_dir
    [told] = proxy.log.wait("runs_as_user")
    assert told["sandbox"] == "off"
    if find_abi():
        assert "exec: mirrors" in told["why"]


def test_a_reload_opens_ports_and_directories_that_take_rights(
    start_proxy: StartProxy, launcher: Launcher, directory: Path
) -> None:
    directory.chmod(0o711)  # the user can neither list it nor write into it
    port = free_privileged_port()
    file = RoutesFile(directory / "routes.yaml", {"workers": 1, "user": USER})
    with Backend() as backend:
        only = route("127.0.0.1:0", backend.address)
        file.write(only)
        file.path.chmod(0o600)
        proxy = start_proxy("--config", str(file.path), launcher=launcher)
        file.write(
            route(["127.0.0.1:0", f"127.0.0.1:{port}"], backend.address)
            | {"mirrors": [f"file:{directory}/new"]}
        )
        file.path.chmod(0o600)
        assert reload(proxy)["listeners"]["added"] == [f"127.0.0.1:{port}"]
        exchange(proxy, backend, port)
        proxy.log.wait("connection")
        wait_until(lambda: list((directory / "new").rglob("*.json")), 10, "the record")
        for pid in proxy.workers():
            assert_has_nothing(status(pid))
        file.write(only, user="daemon")
        assert proxy.log.all("restart_needed") == []
        reload(proxy)
        assert proxy.log.wait("restart_needed")[0]["settings"] == ["user"]
        for pid in proxy.workers():
            assert_has_nothing(status(pid))
        proxy.settle()
    assert (directory / "new").stat().st_uid == UID


def test_a_worker_and_an_admin_process_come_again_without_rights(
    start_proxy: StartProxy, launcher: Launcher, directory: Path
) -> None:
    admin = Administered(directory / "admin")
    with Backend() as backend:
        proxy = start_proxy(
            *("--backend", backend.address, "--user", USER, "--workers", "1"),
            *("--admin", f"unix:{admin.path}"),
            launcher=launcher,
        )
        proxy.expected_errors |= {"worker_exited", "admin_exited"}
        admin.wait()
        for pid in [*proxy.workers(), proxy.log.all("admin_started")[0]["pid"]]:
            os.kill(pid, signal.SIGKILL)
        restarted = proxy.log.wait("worker_restarted")[0]["pid"]
        again = proxy.log.wait("admin_started", 2)[1]["pid"]
        admin.wait()
        exchange(proxy, backend)
        for pid in (restarted, again):
            assert_has_nothing(status(pid))


def test_the_connections_of_a_worker_that_hangs_are_named(
    start_proxy: StartProxy, launcher: Launcher, directory: Path
) -> None:
    file = RoutesFile(directory / "routes.yaml", {"workers": 1, "user": USER})
    with Backend() as backend:
        file.write(route("127.0.0.1:0", backend.address), hang_timeout="3s")
        proxy = start_proxy("--config", str(file.path), launcher=launcher)
        proxy.expected_errors |= {"worker_hangs", "worker_exited", "connection_lost"}
        [victim] = proxy.workers()
        with proxy.connect() as client, backend.accept():
            os.kill(victim, signal.SIGSTOP)
            proxy.log.wait("worker_exited")
            name = "{}:{}".format(*client.getsockname())
            assert name in [line["client"] for line in proxy.log.all("connection_lost")]
        [hangs] = [line for line in proxy.log.all("worker_hangs") if line["pid"] == victim]
        assert hangs["state"].startswith("T")
        restarted = proxy.log.wait("worker_restarted")[0]["pid"]
        assert_has_nothing(status(restarted))


def test_logs_are_opened_again_where_only_root_may(
    start_proxy: StartProxy, launcher: Launcher
) -> None:
    with roots_directory(0o700) as directory, Backend() as backend:
        access, admin = directory / "access", Administered(directory / "admin")
        proxy = start_proxy(
            *("--backend", backend.address, "--user", USER, "--workers", "2"),
            *("--access-log", f"file:{access}", "--access-log-format", "json"),
            *("--admin", f"unix:{admin.path}"),
            launcher=launcher,
        )
        admin.wait()
        exchange(proxy, backend)
        wait_until(lambda: access.read_text(), 10, "the first line")
        first = access.rename(directory / "access.1")
        before = first.read_text()
        proxy.process.send_signal(signal.SIGUSR1)
        wait_until(access.exists, 10, "the new file")
        wait_until(lambda: not holders(proxy, first), 10, "all have left the renamed file")
        exchange(proxy, backend)
        wait_until(lambda: access.read_text(), 10, "the second line")
        assert first.read_text() == before
        assert json.loads(access.read_text())["event"] == "connection"
        assert access.stat().st_uid == 0


def holders(proxy: ProxyCommand, path: Path) -> list[int]:
    return [pid for pid in (proxy.pid, *children(proxy.pid)) if str(path) in opened(pid)]


def opened(pid: int) -> Iterator[str]:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            yield str(link.readlink())


def test_copies_spill_within_the_sandbox(
    start_proxy: StartProxy, launcher: Launcher, directory: Path
) -> None:
    """A mirror that is not there for a while: what it is to get waits in a file."""
    total = 8 << 20
    data = random_bytes(total)
    with Backend() as backend, Backend() as mirror:
        proxy = start_proxy(
            *("--backend", backend.address, "--user", USER, "--workers", "1"),
            *("--mirror", f"tcp://{mirror.address}?overflow=spill&buffer=64KiB"),
            launcher=launcher,
        )
        with proxy.connect() as client, backend.accept() as server, mirror.accept() as copy:
            client.sendall(data[: total // 2])
            assert receive_exactly(server, total // 2) == data[: total // 2]
            client.sendall(data[total // 2 :])
            assert receive_exactly(server, total // 2) == data[total // 2 :]
            client.shutdown(socket.SHUT_WR)
            assert server.recv(1) == b""
            server.close()
            assert receive_exactly(copy, total) == data
            assert copy.recv(1) == b""
        [line] = proxy.log.wait("connection")
    [account] = line["mirrors"]
    assert (account["dropped_bytes"], account["delivered_bytes"]) == (0, total)


def test_a_name_is_looked_up_within_the_sandbox(
    start_proxy: StartProxy, launcher: Launcher
) -> None:
    with Backend() as backend:
        port = backend.address.rpartition(":")[2]
        proxy = start_proxy(
            *("--backend", f"localhost:{port}", "--user", USER, "--workers", "1"),
            launcher=launcher,
        )
        exchange(proxy, backend)


def test_a_sandbox_can_be_off(start_proxy: StartProxy, launcher: Launcher) -> None:
    proxy = start_proxy(
        *("--backend", "127.0.0.1:9", "--user", USER, "--sandbox", "off"), launcher=launcher
    )
    [told] = proxy.log.wait("runs_as_user")
    assert (told["sandbox"], told["why"]) == ("off", "sandbox is off")


def test_root_without_a_user_is_warned_once(start_proxy: StartProxy) -> None:
    proxy = start_proxy("--backend", "127.0.0.1:9", "--workers", "2")
    [told] = proxy.log.wait("runs_as_root")
    assert told["level"] == "warning"
    assert "--user" in told["remedy"]
    assert status(proxy.workers()[0])["Uid"].split()[0] == "0"


def test_a_directory_of_roots_is_refused(
    start_proxy: StartProxy, launcher: Launcher, directory: Path
) -> None:
    audit = directory / "audit"
    audit.mkdir(mode=0o700)
    mirror = ("--mirror", f"file:{audit}")
    code, line = refusal(launcher, "--backend", "127.0.0.1:9", "--user", USER, *mirror)
    assert code == 2
    assert "cannot create files there" in line
    file = RoutesFile(directory / "routes.yaml", {"workers": 1, "user": USER})
    file.write(route("127.0.0.1:0", "127.0.0.1:9"))
    proxy = start_proxy("--config", str(file.path), launcher=launcher)
    file.write(route("127.0.0.1:0", "127.0.0.1:9", mirrors=[f"file:{audit}"]))
    assert "cannot create files there" in refused(proxy)["reason"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--user", "no-such-user"), 3, "user: 'no-such-user' is not known"),
        (("--user", USER, "--group", "no-such-group"), 3, "group: 'no-such-group' is not known"),
        (("--user", "root"), 3, "user: 'root' is root"),
        (("--user", "987654"), 3, "set group too"),
        (("--user", "no such"), 2, "--user"),
        (("--group", USER), 2, "--group: has no effect without --user"),
    ],
)
def test_mistakes(launcher: Launcher, arguments: tuple[str, ...], code: int, said: str) -> None:
    status, line = refusal(launcher, "--backend", "127.0.0.1:9", *arguments)
    assert (status, said in line) == (code, True), line


def test_nobody_else_can_become_a_user() -> None:
    with root_launcher() as launcher:
        other = Launcher(launcher.argv, launcher.environment, user=USER)
        status, line = refusal(other, "--backend", "127.0.0.1:9", "--user", "daemon")
    assert (status, "cannot become 'daemon'" in line) == (3, True), line


def test_whoever_is_that_user_already_gives_up_the_rest(
    start_proxy: StartProxy, launcher: Launcher
) -> None:
    other = Launcher(launcher.argv, launcher.environment, user=USER)
    proxy = start_proxy("--backend", "127.0.0.1:9", "--user", USER, launcher=other)
    for pid in (proxy.pid, *proxy.workers()):
        told = status(pid)
        assert (told["Uid"].split()[1], told["NoNewPrivs"]) == (str(UID), "1")
        assert int(told["CapPrm"], 16) == 0


def refusal(launcher: Launcher, *arguments: str) -> tuple[int, str]:
    """Return the exit status and the last line on standard error."""
    process = launcher.popen("--listen", "127.0.0.1:0", *arguments, stderr=subprocess.PIPE)
    try:
        _, error = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.communicate(timeout=30)
        pytest.fail("the command started")
    assert "Traceback" not in error.decode()
    return process.returncode, error.decode().splitlines()[-1]


def test_a_mirror_is_attached_within_the_sandbox(
    start_proxy: StartProxy, launcher: Launcher, directory: Path
) -> None:
    admin, granted = Administered(directory / "admin"), directory / "granted"
    granted.mkdir()
    os.chown(granted, UID, GID)
    with Backend() as backend:
        proxy = start_proxy(
            *("--backend", backend.address, "--user", USER, "--workers", "1"),
            *("--admin", f"unix:{admin.path}", "--admin-attach", f"file:{granted}"),
            launcher=launcher,
        )
        admin.wait()
        attached = admin.ctl("mirror", "attach", "--route", "default", f"file:{granted}/new")
        exchange(proxy, backend)
        wait_until(lambda: list((granted / "new").rglob("*.json")), 10, "the record")
        elsewhere = ("--route", "default", f"file:{directory}/new")
        assert "not granted" in admin.ctl("mirror", "attach", *elsewhere, status=1)
        admin.ctl("mirror", "detach", str(attached["id"]))
        proxy.log.wait("mirror_detached")
        proxy.settle()
    assert (granted / "new").stat().st_uid == UID
