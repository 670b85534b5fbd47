"""PostgreSQL behind the proxy: pgbench, with connections that stay and with one a transaction."""

import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .proxy_command import ProxyCommand
from .servers import run, serving

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CLIENTS = 8
TRANSACTIONS_KEPT = 100
TRANSACTIONS_EACH_NEW = 20


def unprivileged() -> dict[str, Any]:
    """Options for a process: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    return {"user": "postgres", "group": "postgres", "extra_groups": []}


@pytest.fixture(scope="module")
def postgresql(program: Callable[[str], str]) -> Iterator[int]:
    initdb, postgres = program("initdb"), program("postgres")
    # Not under pytest's directory, which only root can enter.
    directory = Path(tempfile.mkdtemp(prefix="postgresql-"))
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(directory, account.pw_uid, account.pw_gid)
    options = unprivileged() | {"cwd": directory}
    data, port = str(directory / "data"), free_port()
    try:
        argv = [initdb, "--pgdata", data, "--username", "bench", "--auth", "trust", "--no-sync"]
        run([*argv, "--encoding", "UTF8", "--no-locale"], **options)
        argv = [postgres, "-D", data, "-p", str(port), "-k", str(directory), "-F"]
        argv += ["-c", "listen_addresses=127.0.0.1"]
        with serving(argv, port, directory / "log", stop_signal=signal.SIGINT, **options):
            yield port
    finally:
        shutil.rmtree(directory)


def query(program: Callable[[str], str], proxy: ProxyCommand, sql: str) -> str:
    argv = [program("psql"), "--no-psqlrc", "--tuples-only", "--no-align", "--host", "127.0.0.1"]
    argv += ["--port", str(proxy.port), "--username", "bench", "--command", sql, "postgres"]
    return run(argv).strip()


def test_pgbench(start_proxy: StartProxy, program: Callable[[str], str], postgresql: int) -> None:
    proxy = start_proxy("--backend", f"127.0.0.1:{postgresql}")
    argv = [program("pgbench"), "--host", "127.0.0.1", "--port", str(proxy.port)]
    argv += ["--username", "bench"]
    run([*argv, "--initialize", "--quiet", "--scale", "2", "postgres"])
    argv += ["--client", str(CLIENTS), "--jobs", "2", "--no-vacuum"]
    for flags in (
        ["--transactions", str(TRANSACTIONS_KEPT)],
        ["--transactions", str(TRANSACTIONS_EACH_NEW), "--connect"],
    ):
        assert "number of failed transactions: 0 " in run([*argv, *flags, "postgres"])
    transactions = CLIENTS * (TRANSACTIONS_KEPT + TRANSACTIONS_EACH_NEW)
    assert query(program, proxy, "SELECT count(*) FROM pgbench_history") == str(transactions)
    balances = [
        query(program, proxy, f"SELECT sum({column}) FROM {table}")
        for column, table in (
            ("abalance", "pgbench_accounts"),
            ("bbalance", "pgbench_branches"),
            ("delta", "pgbench_history"),
        )
    ]
    assert len(set(balances)) == 1


def test_a_large_result(
    start_proxy: StartProxy, program: Callable[[str], str], postgresql: int
) -> None:
    proxy = start_proxy("--backend", f"127.0.0.1:{postgresql}")
    rows = query(program, proxy, "SELECT generate_series(1, 300000)").split()
    assert [int(row) for row in rows] == list(range(1, 300_001))
