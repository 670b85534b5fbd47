"""Mirrors on the command line and in the environment."""

from pathlib import Path

import pytest

from spliceproxy.cli.main import run
from spliceproxy.errors import ExitStatus
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.settings.proxy import Settings

REQUIRED = ("--listen", "8080", "--backend", "host:80")
FILE = "file:/var/log/audit?overflow=gap"
COMMAND = "exec:zstd -q -o 'an audit.zst'?scope=route&sample=10%"


def test_there_are_no_mirrors_unless_asked_for(seen: list[Settings]) -> None:
    assert run(REQUIRED) == 0
    assert seen[0].routes[0].mirrors == ()
    assert seen[0].mirror_budget_bytes is None


def test_mirrors_keep_their_order(seen: list[Settings]) -> None:
    arguments = [*REQUIRED, "--mirror", FILE, "--mirror", COMMAND, "--mirror-budget", "1GiB"]
    assert run(arguments) == 0
    assert seen[0].routes[0].mirrors == (parse_mirror(FILE), parse_mirror(COMMAND))
    assert seen[0].mirror_budget_bytes == 1 << 30


def test_the_environment_separates_mirrors_by_spaces(
    seen: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLICEPROXY_MIRROR", f"{FILE}  null:")
    monkeypatch.setenv("SPLICEPROXY_MIRROR_BUDGET", "64MiB")
    assert run(REQUIRED) == 0
    assert seen[0].routes[0].mirrors == (parse_mirror(FILE), parse_mirror("null:"))
    assert seen[0].mirror_budget_bytes == 64 << 20


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--mirror", ""], ["--mirror: ", "empty", "file:DIR"]),
        (["--mirror", "tpc://h:1"], ["--mirror: ", "'tpc://h:1'", "'tcp'"]),
        (["--mirror", "null:", "--mirror", "null:?smaple=1%"], ["--mirror: ", "'sample'"]),
        (["--mirror", "tcp://h:1?overflow=gap"], ["--mirror: ", "overflow=gap"]),
        (["--mirror", "two\nlines"], ["--mirror: ", "printable"]),
        (["--mirror-budget", "0"], ["--mirror-budget: ", "1 byte or more"]),
        (["--mirror-budget", "64M"], ["--mirror-budget: ", "64MiB"]),
    ],
)
def test_a_usage_error_is_one_line(
    arguments: list[str], said: list[str], capfd: pytest.CaptureFixture[str], seen: list[Settings]
) -> None:
    assert run([*REQUIRED, *arguments]) == ExitStatus.USAGE
    error = capfd.readouterr().err
    assert error.startswith("spliceproxy: ")
    assert error.count("\n") == 1
    assert all(text in error for text in said), error
    assert seen == []


def test_the_key_of_samples_is_read_from_the_environment_alone(
    seen: list[Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run(REQUIRED) == 0
    monkeypatch.setenv("SPLICEPROXY_SAMPLE_KEY", "a-secret-of-some-length")
    assert run(REQUIRED) == 0
    file = tmp_path / "routes.yaml"
    file.write_text(
        "sample_key: another-secret-than-that\nroutes: [{listen: 0, backends: 'a:1'}]\n"
    )
    assert run(["--config", str(file)]) == 0
    assert [each.sample_key for each in seen] == [None, *["a-secret-of-some-length"] * 2]
    assert run([*REQUIRED, "--sample-key", "a-secret-of-some-length"]) == ExitStatus.USAGE


def test_a_key_that_is_none_is_not_told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], seen: list[Settings]
) -> None:
    monkeypatch.setenv("SPLICEPROXY_SAMPLE_KEY", "hush-hush")
    assert run(REQUIRED) == ExitStatus.USAGE
    error = capfd.readouterr().err
    assert error.startswith("spliceproxy: SPLICEPROXY_SAMPLE_KEY: is no key; expected 16 or more")
    assert error.count("\n") == 1
    assert "hush-hush" not in error
    assert seen == []
