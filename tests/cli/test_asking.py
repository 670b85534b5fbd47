"""Commands that ask a proxy have variables of their own: a shell may have them for good."""

from collections.abc import Iterator

import click
import pytest

from spliceproxy.cli.main import command, run
from spliceproxy.errors import ExitStatus
from spliceproxy.settings.proxy import Settings


def variables(of: click.Command) -> Iterator[str]:
    """Every variable that a command and its subcommands read."""
    for param in of.params:
        found = param.envvar or ()
        yield from [found] if isinstance(found, str) else found
    if isinstance(of, click.Group):
        for subcommand in of.commands.values():
            yield from variables(subcommand)


def test_no_variable_means_something_to_the_proxy_and_to_a_command() -> None:
    of_commands = {name for one in command.commands.values() for name in variables(one)}
    of_proxy = {param.envvar for param in command.params}
    assert {"SPLICEPROXY_CTL", "SPLICEPROXY_CTL_TOKEN"} <= of_commands
    assert of_commands & of_proxy <= {"SPLICEPROXY_CONFIG"}  # doctor's, which means the same file


@pytest.mark.parametrize("arguments", [["ctl", "status"], ["top", "--count", "1"]])
def test_the_variable_says_whom_to_ask(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPLICEPROXY_CTL", "unix:/nowhere/ctl.sock")
    monkeypatch.setenv("SPLICEPROXY_ADMIN", "unix:/nowhere/admin.sock")
    assert run(arguments) == ExitStatus.REFUSED
    assert "unix:/nowhere/ctl.sock" in capfd.readouterr().err


def test_a_proxy_does_not_heed_it(monkeypatch: pytest.MonkeyPatch, seen: list[Settings]) -> None:
    monkeypatch.setenv("SPLICEPROXY_CTL", "unix:/nowhere/ctl.sock")
    monkeypatch.setenv("SPLICEPROXY_CTL_TOKEN", "a-token-that-is-long-enough")
    assert run(["--listen", "80", "--backend", "b:80"]) == ExitStatus.OK
    assert seen[0].admin.listen == ()
    assert seen[0].admin.token is None
