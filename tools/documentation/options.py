"""`python -m tools.documentation.options` writes docs/configuration.md from the definitions."""

from pathlib import Path

import click

from spliceproxy.cli.main import command
from spliceproxy.cli.options import SECTIONS
from tools.documentation.routes_file import routes_file_part

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"

_INTRODUCTION = """\
# Configuration

This page is written by `python -m tools.documentation.options` from the definitions that
the command itself uses.

Times are written `250ms`, `5s`, `10m`, `1h`, `2d`; sizes `64KiB`, `8MiB`, `1GiB`, `10MB`, or a
number of bytes. The options of mirrors are described in [mirroring](mirroring.md).

## Command line

Each option is also read from the environment, named after it: `SPLICEPROXY_IDLE_TIMEOUT=5m` for
`--idle-timeout 5m`; lists are separated by spaces. The command line goes first.
`SPLICEPROXY_SAMPLE_KEY` has no option, since others can read a command line: it is `sample_key` of
a routes file.
"""


def page() -> str:
    """Return the whole page."""
    context = click.Context(command, info_name="spliceproxy")
    by_name = {parameter.name: parameter for parameter in command.params}
    parts = [_INTRODUCTION]
    for title, names in SECTIONS.items():
        parts.append(f"### {title}\n\n| option | default | meaning |\n|---|---|---|")
        parts += [_row(by_name[name], context) for name in names]
        parts.append("")
    return "\n".join([*parts, routes_file_part()])


def _row(parameter: click.Parameter, context: click.Context) -> str:
    assert isinstance(parameter, click.Option)  # noqa: S101 - the command has no arguments
    names = " / ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    metavar = "" if parameter.is_flag else f" `{parameter.make_metavar(context)}`"
    help_text = (parameter.help or "").replace("|", r"\|")
    return f"| {names}{metavar.replace('|', chr(92) + '|')} | {_default(parameter)} | {help_text} |"


def _default(option: click.Option) -> str:
    if isinstance(option.show_default, str):
        return option.show_default
    if option.is_flag:
        return f"`{(option.opts if option.default else option.secondary_opts)[0]}`"
    if option.multiple or option.default is None:
        return ""
    return f"`{option.default}`"


if __name__ == "__main__":
    PAGE.write_text(page())
