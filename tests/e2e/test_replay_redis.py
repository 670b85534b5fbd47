"""What clients of a redis-server did through the proxy, replayed against another one."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .processes import wait_until
from .servers import run, serving

pytestmark = pytest.mark.e2e

SPLICEPROXY = str(Path(sys.executable).with_name("spliceproxy"))


@pytest.fixture
def servers(program: Callable[[str], str], tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Run two redis-servers; yields their ports."""
    with ExitStack() as stack:
        ports = []
        for name in ("recorded", "target"):
            directory, port = tmp_path / name, free_port()
            directory.mkdir()
            argv = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
            argv += ["--save", "", "--appendonly", "no"]
            ports.append(stack.enter_context(serving(argv, port, directory / "log", cwd=directory)))
        yield ports[0], ports[1]


def dump(cli: str, port: int) -> dict[str, str]:
    """Every key with its value, as redis serialises it."""
    keys = run([cli, "-p", str(port), "--raw", "KEYS", "*"]).split()
    asked = "".join(f"DUMP {key}\n" for key in keys)
    values = run([cli, "-p", str(port), "--no-raw"], input=asked).splitlines()
    return dict(zip(keys, values, strict=True))


def test_both_databases_are_equal(
    start_proxy: StartProxy,
    program: Callable[[str], str],
    servers: tuple[int, int],
    tmp_path: Path,
) -> None:
    recorded, target = servers
    cli, capture = program("redis-cli"), tmp_path / "capture"
    proxy = start_proxy(
        "--backend", f"127.0.0.1:{recorded}", "--mirror", f"capture:{capture}", "--workers", "1"
    )
    client = [cli, "-p", str(proxy.port)]
    lines = [f"SET key:{number} {'x' * number}\nINCR counter" for number in range(1, 301)]
    run(client, input="\n".join(lines))
    run(client, input="RPUSH list a b c\nLPOP list\nHSET hash f 1 g 2\nHINCRBY hash f 5\n")
    run([*client, "APPEND", "key:7", "more"])
    run([*client, "-x", "SET", "large"], input="0123456789" * 200_000)
    wait_until(lambda: len(proxy.log.all("connection")) >= 4, 20, "the connections' ends")
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.wait_exit() == 0
    expected = dump(cli, recorded)
    assert len(expected) == 304  # the keys, a counter, a list, a hash, the large one
    one_by_one = ("--pace", "answers", "--max-connections", "1")
    done = subprocess.run(
        [SPLICEPROXY, "replay", str(capture), "--to", f"127.0.0.1:{target}", *one_by_one],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["connections"]["replayed"] >= 4
    assert told["answer_timeouts"] == 0
    assert dump(cli, target) == expected
