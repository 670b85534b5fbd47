"""The doctor on the command line: exit statuses, JSON, text for pipes and for terminals."""

import errno
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from spliceproxy.cli.main import run
from spliceproxy.errors import ExitStatus
from spliceproxy.kernel import syscalls
from tests.descriptors import open_descriptors
from tests.faults import ENDLESS, FailAt

SHAPE = {
    "type": "object",
    "required": ["format", "version", "status", "findings"],
    "additionalProperties": False,
    "properties": {
        "format": {"const": 1},
        "version": {"type": "string"},
        "status": {"enum": ["ok", "warn", "fail"]},
        "findings": {
            "type": "array",
            "minItems": 25,
            "items": {
                "type": "object",
                "required": ["check", "status", "fact", "remedy", "values"],
                "additionalProperties": False,
                "properties": {
                    "check": {"type": "string", "pattern": r"^[a-z]+\.\S+$"},
                    "status": {"enum": ["ok", "warn", "fail"]},
                    "fact": {"type": "string", "minLength": 1, "pattern": "^[^\n]*$"},
                    "remedy": {"type": "string", "pattern": "^[^\n]*$"},
                    "values": {"type": "object"},
                },
                "if": {"properties": {"status": {"const": "ok"}}},
                "then": {"properties": {"remedy": {"const": ""}}},
                "else": {"properties": {"remedy": {"minLength": 1}}},
            },
        },
    },
}


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "routes.yaml"
    path.write_text(
        "workers: 1\n"
        f"routes: [{{name: a, listen: '127.0.0.1:0', backends: 'b:80',"
        f" max_connections: 10000000, mirrors: 'file:{tmp_path}'}}]\n"
    )
    return str(path)


def test_nothing_fails_here(capfd: pytest.CaptureFixture[str]) -> None:
    before = open_descriptors()
    assert run(["doctor"]) == ExitStatus.OK
    assert open_descriptors() == before
    output, error = capfd.readouterr()
    assert error == ""
    assert "\x1b" not in output
    assert "\nok    splice.tcp4 " in output
    assert max(map(len, output.splitlines())) > 100  # not wrapped, for those who search in it
    assert output.endswith(" 0 fail\n")


def test_json(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == ExitStatus.OK
    content = json.loads(capfd.readouterr().out)
    jsonschema.validate(content, SHAPE)
    names = [finding["check"] for finding in content["findings"]]
    assert len(names) == len(set(names))


def test_a_failure(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    refused = FailAt(syscalls.splice, 1, errno.EPERM, times=ENDLESS)
    monkeypatch.setattr(syscalls, "splice", refused)
    assert run(["doctor", "--json"]) == 1
    content = json.loads(capfd.readouterr().out)
    jsonschema.validate(content, SHAPE)
    assert content["status"] == "fail"
    assert run(["doctor"]) == ExitStatus.UNFIT
    assert "\nfail  splice.tcp4 " in capfd.readouterr().out


def test_a_warning_is_no_failure(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "tee", FailAt(syscalls.tee, 1, errno.EPERM, times=ENDLESS))
    assert run(["doctor"]) == ExitStatus.OK
    assert "\nwarn  tee.pipe " in capfd.readouterr().out


@pytest.mark.parametrize("by_environment", [False, True])
def test_a_routes_file(
    config: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    by_environment: bool,
) -> None:
    if by_environment:
        monkeypatch.setenv("SPLICEPROXY_CONFIG", config)
    named = [] if by_environment else ["--config", config]
    assert run(["doctor", "--json", *named]) == ExitStatus.UNFIT
    found = {f["check"]: f for f in json.loads(capfd.readouterr().out)["findings"]}
    assert found["files.route:a"]["status"] == "fail"
    assert found["files.route:a"]["values"]["asked"] == 10_000_000
    assert found[f"splice.mirror:{Path(config).parent}"]["status"] == "ok"
    assert found["pipes.full_size"]["values"]["wanted"] == 64 + 32


def test_a_mistaken_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mistaken.yaml"
    path.write_text("routes: []\n")
    assert run(["doctor", "--config", str(path)]) == ExitStatus.REFUSED
    output, error = capfd.readouterr()
    assert output == ""
    assert f"{path}:1:9: error: routes: is empty" in error


@pytest.mark.parametrize(("no_color", "colored"), [("", True), ("1", False)])
def test_on_a_terminal(no_color: str, *, colored: bool) -> None:
    master, terminal = pty.openpty()
    environment = os.environ | {"NO_COLOR": no_color, "COLUMNS": "70"}
    command = [sys.executable, "-m", "spliceproxy", "doctor"]
    with subprocess.Popen(command, stdout=terminal, env=environment):
        os.close(terminal)
        output = b""
        while piece := _read(master):
            output += piece
    os.close(master)
    assert (b"\x1b[32mok\x1b[0m    splice.tcp4" in output) == colored
    assert (b"\x1b" in output) == colored
    plain = output.replace(b"\x1b[32m", b"").replace(b"\x1b[33m", b"").replace(b"\x1b[0m", b"")
    wide = [line for line in plain.decode().splitlines() if len(line) > 70]
    assert wide == []


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError as error:
        if error.errno != errno.EIO:  # the other side has closed the terminal
            raise
        return b""
