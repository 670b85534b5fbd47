"""Routes files on the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from spliceproxy.cli.main import run
from spliceproxy.errors import ExitStatus
from spliceproxy.routes_file.load import load
from spliceproxy.settings.proxy import Settings
from spliceproxy.settings.single_route import override
from tests.tls.certificates import certificate

ROUTES = """\
workers: 3
log: {level: error}
routes: [{name: a, listen: 80, backends: b:80}, {name: b, listen: 81, backends: b:80}]
"""


@pytest.fixture
def routes(tmp_path: Path) -> str:
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES)
    return str(path)


@pytest.fixture
def mistaken(tmp_path: Path) -> str:
    path = tmp_path / "mistaken.yaml"
    path.write_text("workers: many\nroutes: []\n")
    return str(path)


@pytest.mark.parametrize("option", ["--config", "-c"])
def test_a_file(routes: str, option: str, seen: list[Settings]) -> None:
    assert run([option, routes]) == ExitStatus.OK
    assert seen == [load(routes)]


def test_options_of_the_process_go_before_the_file(
    routes: str, seen: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLICEPROXY_SPLICE", "off")
    arguments = ["-c", routes, "--log-format", "json", "--drain-timeout", "1s"]
    assert run(arguments) == ExitStatus.OK
    expected = override(load(routes), splice=False, log_format="json", drain_timeout_s=1.0)
    assert seen == [expected]
    assert seen[0].workers == 3
    assert seen[0].log.level == "error"


def test_the_file_may_be_named_by_the_environment(
    routes: str, seen: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLICEPROXY_CONFIG", routes)
    assert run([]) == ExitStatus.OK
    assert seen == [load(routes)]


def test_options_of_a_route_are_refused_beside_a_file(
    routes: str,
    seen: list[Settings],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SPLICEPROXY_BACKEND", "b:80")
    arguments = ["-c", routes, "--listen", "80", "--mirror", "null:", "--idle-timeout", "1s"]
    assert run(arguments) == ExitStatus.USAGE
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("spliceproxy: --config does not go together with ")
    names = ("--listen", "SPLICEPROXY_BACKEND", "--mirror", "--idle-timeout")
    assert all(name in error for name in names)
    assert "--backlog" not in error
    assert seen == []


@pytest.mark.parametrize("arguments", [["-c"], ["check"], ["check", "--show"]])
def test_a_mistaken_file(
    mistaken: str, arguments: list[str], seen: list[Settings], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments, mistaken]) == ExitStatus.REFUSED
    output, error = capfd.readouterr()
    assert output == ""
    lines = error.splitlines()
    assert lines[0].startswith(f"{mistaken}:1:10: error: workers: 'many' is not understood")
    assert lines[1].startswith(f"{mistaken}:2:9: error: routes: is empty")
    assert lines[2] == f"spliceproxy: {mistaken} has 2 mistakes; nothing was started or changed"
    assert len(lines) == 3
    assert seen == []


def test_a_file_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "/no/such"]) == ExitStatus.REFUSED
    said = "spliceproxy: cannot read /no/such (No such file or directory); check the path\n"
    assert capfd.readouterr().err == said


def test_check(routes: str, seen: list[Settings], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["check", routes]) == ExitStatus.OK
    assert capfd.readouterr() == (f"{routes}: correct, 2 routes\n", "")
    assert seen == []


def test_check_show(routes: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--show", routes]) == ExitStatus.OK
    shown = yaml.safe_load(capfd.readouterr().out)
    assert shown["routes"][1]["timeouts"]["idle"] == "1h"


def test_schema(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == ExitStatus.OK
    assert "routes" in json.loads(capfd.readouterr().out)["properties"]


def test_a_plain_command_line_does_not_wait_for_yaml() -> None:
    script = """
import sys
from spliceproxy.cli.main import run
run(["--listen", "80"])
print({"trio", "yaml"} & sys.modules.keys())
"""
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert outcome.stdout == b"set()\n"


def test_no_key_is_shown(tmp_path: Path) -> None:
    path, content = tmp_path / "tls.yaml", Path(certificate()).read_text()
    path.write_text(f"routes: [{{listen: {{address: 80, tls: {certificate()}}}, backends: b:80}}]")
    shown = subprocess.run(
        [sys.executable, "-m", "spliceproxy", "check", "--show", str(path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert certificate() in shown
    assert not any(line in shown for line in content.splitlines() if len(line) > 40)
