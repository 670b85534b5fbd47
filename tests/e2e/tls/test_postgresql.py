"""PostgreSQL with TLS at both sides: pgbench, certificates as logins, TLS from the first byte."""

import os
import pwd
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import StartProxy
from tests.e2e.proxy_command import ProxyCommand
from tests.e2e.reloading import RoutesFile
from tests.e2e.servers import run, serving
from tests.e2e.test_postgresql import unprivileged
from tests.ports import free_port
from tests.tls.authority import Authority, Pair

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Program = Callable[[str], str]


@dataclass
class Database:
    """A server, and certificates: the proxy's has the name of the role that it may log in as."""

    port: int
    authority: Authority
    site: Pair
    proxy: Pair


@pytest.fixture(scope="module")
def database(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One that takes no connection without TLS, and of one role none without a certificate."""
    initdb, postgres = program("initdb"), program("postgres")
    authority = Authority(tmp_path_factory.mktemp("files"))
    site = authority.issue("localhost")
    it = Database(free_port(), authority, site, authority.issue("p", file="proxy", cn="proxy"))
    directory = Path(tempfile.mkdtemp(prefix="postgresql-"))  # pytest's only root can enter
    for source, name in ((site.certificate, "crt"), (site.key, "key"), (authority.path, "ca")):
        (directory / name).touch(0o600)
        (directory / name).write_bytes(Path(source).read_bytes())
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        for each in (directory, *directory.iterdir()):
            os.chown(each, account.pw_uid, account.pw_gid)
    options = unprivileged() | {"cwd": directory}
    data = str(directory / "data")
    try:
        argv = [initdb, "--pgdata", data, "--username", "bench", "--auth", "trust", "--no-sync"]
        run([*argv, "--no-locale"], **options)
        rules = "hostssl all proxy all cert\nhostssl all all all trust\nlocal all all trust\n"
        (directory / "data" / "pg_hba.conf").write_text(rules)
        argv = [postgres, "-D", data, "-p", str(it.port), "-k", str(directory), "-F"]
        for name, value in (("cert", "crt"), ("key", "key"), ("ca", "ca")):
            argv += ["-c", f"ssl_{name}_file={directory}/{value}"]
        argv += ["-c", "listen_addresses=127.0.0.1", "-c", "ssl=on"]
        with serving(argv, it.port, directory / "log", stop_signal=signal.SIGINT, **options):
            conninfo = f"host={directory} port={it.port} user=bench dbname=postgres"
            run([program("psql"), "--command", "CREATE ROLE proxy LOGIN", conninfo])
            yield it
    finally:
        shutil.rmtree(directory)


def start(
    start_proxy: StartProxy, directory: Path, database: Database, **listen: Any
) -> ProxyCommand:
    """With TLS, and the proxy's own certificate, at both sides."""
    site, shown = database.site, database.proxy
    tls = {"certificate": site.certificate, "key": site.key, "starttls": "postgres", **listen}
    backend = {
        "address": f"127.0.0.1:{database.port}",
        "tls": {
            "ca": database.authority.path,
            "name": "localhost",
            "starttls": "postgres",
            "certificate": shown.certificate,
            "key": shown.key,
        },
    }
    file = RoutesFile(directory / "routes.yaml", {"workers": 1})
    accept = {"address": "127.0.0.1:0", "tls": tls}
    file.write({"name": "main", "listen": accept, "backends": [backend]})
    return file.start(start_proxy)


def conninfo(database: Database, proxy: ProxyCommand, **settings: str) -> str:
    known = {"host": "localhost", "hostaddr": "127.0.0.1", "port": str(proxy.port)}
    known |= {"user": "bench", "dbname": "postgres", "sslmode": "verify-full"}
    known |= {"sslrootcert": database.authority.path}
    return " ".join(f"{name}={value}" for name, value in {**known, **settings}.items())


def ask(program: Program, whom: str, sql: str) -> subprocess.CompletedProcess[str]:
    argv = [program("psql"), "--no-psqlrc", "--tuples-only", "--no-align", "--command", sql, whom]
    return subprocess.run(argv, capture_output=True, text=True, timeout=45, check=False)


def test_pgbench(
    start_proxy: StartProxy, program: Program, database: Database, tmp_path: Path
) -> None:
    proxy = start(start_proxy, tmp_path, database)
    whom = conninfo(database, proxy)
    run([program("pgbench"), "--initialize", "--quiet", "--scale", "1", whom])
    argv = [program("pgbench"), "--client", "4", "--jobs", "2", "--no-vacuum"]
    for flags in (["--transactions", "50"], ["--transactions", "10", "--connect"]):
        assert "number of failed transactions: 0 " in run([*argv, *flags, whom])
    counted = ask(program, whom, "SELECT count(*), sum(delta) FROM pgbench_history")
    balance = ask(program, whom, "SELECT 240, sum(abalance) FROM pgbench_accounts")
    assert counted.stdout == balance.stdout
    assert counted.stdout.startswith("240|")
    lines = proxy.log.wait("connection", 40)
    assert {line["tls"]["version"] for line in lines} == {"TLSv1.3"}


def test_a_client_shows_a_certificate_and_the_proxy_its_own(
    start_proxy: StartProxy, program: Program, database: Database, tmp_path: Path
) -> None:
    rules = {"client_ca": database.authority.path, "clients": {"cn": "somebody"}}
    proxy = start(start_proxy, tmp_path, database, **rules)
    sql = "SELECT current_user, ssl, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    shown = database.authority.issue("s", file="somebody", cn="somebody")
    files = {"sslcert": shown.certificate, "sslkey": shown.key}
    done = ask(program, conninfo(database, proxy, user="proxy", **files), sql)
    assert done.stderr == ""
    user, by_tls, name = done.stdout.strip().split("|")
    assert (user, by_tls) == ("proxy", "t")
    assert name.endswith("/CN=proxy")
    assert proxy.log.wait("connection")[0]["tls"]["client_cn"] == "somebody"

    none = {"sslcert": "/nonexistent"}
    other = database.authority.issue("o", file="other", cn="other")
    another = {"sslcert": other.certificate, "sslkey": other.key}
    for settings in (none, another):
        done = ask(program, conninfo(database, proxy, user="proxy", **settings), sql)
        assert (done.returncode, done.stdout) == (2, "")
    refused = proxy.log.wait("clients_refused", 2)
    reasons = [line["reason"] for line in refused]
    assert reasons == ["client_no_certificate", "client_certificate_refused"]


def test_another_name_is_not_believed(
    start_proxy: StartProxy, program: Program, database: Database, tmp_path: Path
) -> None:
    other = database.authority.issue("other.example", file="elsewhere")
    wrong = {"certificate": other.certificate, "key": other.key}
    proxy = start(start_proxy, tmp_path, database, **wrong)
    done = ask(program, conninfo(database, proxy), "SELECT 1")
    assert 'does not match host name "localhost"' in done.stderr
    assert done.stdout == ""


def test_tls_from_the_first_byte(
    start_proxy: StartProxy, program: Program, database: Database, tmp_path: Path
) -> None:
    """As libpq from version 17 on; where psql is older, a client of the test's own stands in."""
    proxy = start(start_proxy, tmp_path, database)
    assert direct_query(proxy, database) == b"forty-two"
    version = re.search(r"\) (\d+)", run([program("psql"), "--version"]))
    if version is not None and int(version[1]) >= 17:
        whom = conninfo(database, proxy, sslnegotiation="direct")
        assert ask(program, whom, "SELECT 42").stdout.strip() == "42"


def direct_query(proxy: ProxyCommand, database: Database) -> bytes:
    """Log in without a password, ask for one value, and return it."""
    context = ssl.create_default_context(cafile=database.authority.path)
    context.set_alpn_protocols(["postgresql"])
    with (
        proxy.connect() as raw,
        context.wrap_socket(raw, server_hostname="localhost") as secured,
    ):
        assert secured.selected_alpn_protocol() == "postgresql"
        start_up = b"\0\3\0\0user\0bench\0database\0postgres\0\0"
        secured.sendall((len(start_up) + 4).to_bytes(4, "big") + start_up)
        query = b"SELECT 'forty-two'\0"
        read_until(secured, b"Z")
        secured.sendall(b"Q" + (len(query) + 4).to_bytes(4, "big") + query)
        row = read_until(secured, b"D")
        read_until(secured, b"Z")
        secured.sendall(b"X\0\0\0\4")
        secured.unwrap()
    return row[6:]  # behind the number of columns, and the length


def read_until(secured: socket.socket, kind: bytes) -> bytes:
    """Read messages up to one of that kind; what is in it."""
    with secured.makefile("rb", buffering=0) as file:
        while True:
            found, length = read(file, 1), int.from_bytes(read(file, 4), "big")
            body = read(file, length - 4)
            if found == kind:
                return body


def read(file: Any, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = file.read(count - len(data))
        assert piece, "the end came early"
        data += piece
    return data
