"""`top` without a terminal, against an admin server that does not know that it is a test."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from threading import Thread

import pytest
from click.testing import CliRunner

from spliceproxy.cli.main import command, run
from spliceproxy.cli.top.look import MAX_CONNECTIONS_SEEN
from tests.admin.busy import HOSTILE, BusyClient


@contextmanager
def answering(path: Path, client: BusyClient) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(client.get(self.path.partition("?")[0])).encode()
            if self.path.startswith("/api/connections"):
                assert self.path.endswith(f"limit={MAX_CONNECTIONS_SEEN}")
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

        def address_string(self) -> str:
            return "unix"

    with ThreadingUnixStreamServer(str(path), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield
        server.shutdown()
        thread.join()


def top(path: Path, *arguments: str) -> str:
    given = ["top", "--admin", f"unix:{path}", "--interval", "100ms", *arguments]
    result = CliRunner().invoke(command, given, standalone_mode=False)
    assert result.exception is None
    return result.output


def test_one_look_with_rates(tmp_path: Path) -> None:
    with answering(tmp_path / "s", BusyClient()):
        output = top(tmp_path / "s")
    lines = output.splitlines()
    assert lines[0].startswith("spliceproxy 0.1.0, pid 4100, up 1.1d, generation 3, 2 workers")
    assert lines[1].startswith("1201 open, ")
    assert " 0.0 new/s" not in lines[1]
    headings = [line.split()[:2] for line in lines[2:] if " request " in line]
    assert headings == [["route", "open"], ["route", "backend"], ["number", "route"]]
    down = next(line for line in lines if "10.0.1.13:8443" in line)
    assert "down" in down
    assert "check: connection refused" in down
    assert "… and 4 connections more" in lines


def test_as_many_looks_as_are_asked_for(tmp_path: Path) -> None:
    client = BusyClient()
    with answering(tmp_path / "s", client):
        output = top(tmp_path / "s", "--count", "3")
    assert output.count("spliceproxy 0.1.0") == 3
    assert client.steps == 4


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    client = BusyClient()
    client.hostile = True
    with answering(tmp_path / "s", client):
        output = top(tmp_path / "s")
    assert HOSTILE.replace("\x1b", "?") in output
    assert "\x1b" not in output


def test_without_a_proxy_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["top", "--admin", f"unix:{tmp_path}/none"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"spliceproxy: no answer from the admin interface at unix:{tmp_path}")
    assert error.count("\n") == 1


@pytest.mark.parametrize("interval", ["0", "1ms", "2h", "often"])
def test_an_interval_that_makes_no_sense_is_refused(
    interval: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["top", "--interval", interval]) == 2
    assert capsys.readouterr().err.startswith("spliceproxy: --interval: ")


ON_A_TERMINAL = """
import sys
sys.modules["textual"] = None
from spliceproxy.cli.main import main
sys.argv = ["spliceproxy", "top"]
main()
"""


def test_without_textual_a_terminal_is_told_how_to_get_it() -> None:
    controller, terminal = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", ON_A_TERMINAL],
            stdin=terminal,
            stdout=terminal,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    finally:
        os.close(terminal)
        os.close(controller)
    assert done.returncode == 3
    assert done.stderr.decode() == (
        "spliceproxy: top needs textual to draw its screen; pip install 'spliceproxy[tui]', "
        "or have it as text: spliceproxy top --count 1\n"
    )


def test_no_other_command_imports_textual() -> None:
    code = (
        "import sys; from spliceproxy.cli.main import run; run(['top', '--help']); "
        "run(['--help']); print({'textual', 'rich', 'asyncio'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=30, check=True, capture_output=True)
    assert done.stdout.splitlines()[-1] == b"set()"
