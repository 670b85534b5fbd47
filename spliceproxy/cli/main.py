"""The `spliceproxy` command: settings from the command line, and every end as an exit status."""

import sys
import traceback
from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

import click

from spliceproxy import __version__
from spliceproxy.cli.capture.command import capture
from spliceproxy.cli.compare import compare
from spliceproxy.cli.ctl import ctl
from spliceproxy.cli.doctor import doctor
from spliceproxy.cli.options import SectionedGroup, proxy_options
from spliceproxy.cli.output_end import discard_output, output_trouble
from spliceproxy.cli.replay import replay
from spliceproxy.cli.routes_file import check, schema
from spliceproxy.cli.top.command import top
from spliceproxy.errors import ExitStatus, Problem, RefusedFile, one_line

PROGRAM = "spliceproxy"
EXAMPLES = f"""\b
Examples:
  {PROGRAM} --listen 8080 --backend example.org:80
  {PROGRAM} --listen 127.0.0.1:5432 --backend 10.0.0.1:5432 --backend 10.0.0.2:5432
  {PROGRAM} --listen '[::1]:8080' --backend unix:/run/app.sock --workers 1
  {PROGRAM} --config routes.yaml

Each option is also read from the environment: SPLICEPROXY_IDLE_TIMEOUT=5m for --idle-timeout,
with spaces between the items of a list. The command line goes first.

\b
Signals: TERM and INT drain (a second one stops at once), QUIT stops at once, HUP reads the
  file of --config again, USR1 opens log files again.
Exit status: 0 asked to stop, 1 mistakes in the file, a fail of doctor, a capture that
  cannot be read or replayed as a whole, differences, 2 usage, 3 could not start, 4 workers fail
  to boot, 70 internal.
"""


@click.group(
    cls=SectionedGroup,
    invoke_without_command=True,
    subcommand_metavar="[COMMAND]",
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@proxy_options
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
@click.pass_context
def command(ctx: click.Context, /, config: str | None, **fields: Any) -> int:
    """Forward TCP connections to a backend, inside the Linux kernel."""
    if ctx.invoked_subcommand is not None:
        return ExitStatus.OK
    # Late, so that --help and a mistyped option need not wait for pydantic, nor those for Trio
    # that the settings refuse.
    from spliceproxy.cli.configure import configure

    read_settings = partial(configure, ctx, config, fields)
    settings = read_settings()
    from spliceproxy.master.supervisor import supervise

    return supervise(settings, None if config is None else read_settings)


command.add_command(capture)
command.add_command(check)
command.add_command(compare)
command.add_command(doctor)
command.add_command(schema)
command.add_command(replay)
command.add_command(ctl)
command.add_command(top)


def run(arguments: Sequence[str]) -> int:
    """Run the command and return the exit status; any problem is one line on stderr."""
    try:
        return int(command.main(list(arguments), prog_name=PROGRAM, standalone_mode=False) or 0)
    except RefusedFile as problem:
        for mistake in problem.mistakes:
            click.echo(mistake, err=True)
        return report(problem.status, str(problem))
    except Problem as problem:
        return report(problem.status, str(problem))
    except click.Abort:  # how click passes on a KeyboardInterrupt
        return ExitStatus.OK
    except click.ClickException as problem:
        return report(ExitStatus.USAGE, describe(problem))
    except Exception as problem:  # the last resort, with everything that is known about it
        if why := output_trouble(problem):
            discard_output()
            return report(ExitStatus.USAGE, f"the output cannot be written to its end: {why}")
        traceback.print_exc()
        what = f"internal error: {type(problem).__name__}: {problem}"
        return report(ExitStatus.INTERNAL, f"{what}; please report it with the lines above")


def report(status: ExitStatus, line: str) -> ExitStatus:
    """Say what ends the program, in one line."""
    print(f"{PROGRAM}: {one_line(line)}", file=sys.stderr)  # noqa: T201 - for the terminal, not the log
    return status


def describe(problem: click.ClickException) -> str:
    """Return click's message, led by the option or by the variable that the value came from."""
    context = problem.ctx if isinstance(problem, click.UsageError) else None
    if not isinstance(problem, click.BadParameter) or not problem.message or problem.param is None:
        path = context.command_path if context else PROGRAM
        return f"{problem.format_message().removesuffix('.')}; see {path} --help"
    name = problem.param.name
    source = context.get_parameter_source(name) if context and name else None
    if source is click.core.ParameterSource.ENVIRONMENT:
        return f"{problem.param.envvar}: {problem.message}"
    return f"{problem.param.opts[0]}: {problem.message}"


def main() -> NoReturn:
    """Run the command with the process's arguments, and exit."""
    sys.exit(run(sys.argv[1:]))
