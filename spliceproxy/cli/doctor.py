"""The subcommand that says what this kernel and this user can do."""

import os
import shutil
import sys

import click

from spliceproxy.cli.readers import setting
from spliceproxy.errors import ExitStatus

_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@setting("--config", "file", short="-c", metavar="FILE", help="Compare with this routes file.")
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
def doctor(file: str | None, *, wants_json: bool) -> int:
    """Try out what the proxy needs of this kernel, as this user.

    It changes nothing. Exit status 1 when something fails.
    """
    from spliceproxy.doctor.examine import examine
    from spliceproxy.doctor.finding import FindingStatus, worst
    from spliceproxy.doctor.report import as_json, as_text, summary
    from spliceproxy.routes_file.load import load

    findings = list(examine(load(file) if file else None))
    if wants_json:
        click.echo(as_json(findings))
    else:
        terminal = sys.stdout.isatty()
        columns = shutil.get_terminal_size().columns if terminal else None
        for status, paragraph in as_text(findings, columns):
            click.echo(paint(status, paragraph) if terminal else paragraph)
        click.echo(summary(findings))
    return ExitStatus.UNFIT if worst(findings) is FindingStatus.FAIL else ExitStatus.OK


def paint(status: str, paragraph: str) -> str:
    """Return a paragraph with its status in colour, unless NO_COLOR asks for none."""
    if os.environ.get("NO_COLOR"):
        return paragraph
    return click.style(status, fg=_COLORS[status]) + paragraph.removeprefix(status)
