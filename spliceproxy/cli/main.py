"""The `spliceproxy` command: settings from the command line, and every end as an exit status."""

import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from spliceproxy import __version__
from spliceproxy.cli.options import SectionedGroup, proxy_options
from spliceproxy.errors import ExitStatus, Problem, UsageProblem, one_line
from spliceproxy.settings.address import UnixAddress
from spliceproxy.settings.options import Settings, find_duplicate

PROGRAM = "spliceproxy"
EXAMPLE = f"{PROGRAM} --listen 8080 --backend example.org:80"
EXAMPLES = f"""\b
Examples:
  {EXAMPLE}
  {PROGRAM} --listen 127.0.0.1:5432 --backend 10.0.0.1:5432 --backend 10.0.0.2:5432
  {PROGRAM} --listen '[::1]:8080' --backend unix:/run/app.sock --workers 1

Each option is also read from the environment: SPLICEPROXY_IDLE_TIMEOUT=5m for --idle-timeout,
with spaces between the items of a list. The command line goes first.

\b
Signals: TERM and INT drain (a second one stops at once), QUIT stops at once.
Exit status: 0 asked to stop, 2 usage, 3 could not start, 4 workers fail to boot, 70 internal.
"""


@click.group(
    cls=SectionedGroup,
    invoke_without_command=True,
    subcommand_metavar="",
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@proxy_options
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
@click.pass_context
def command(ctx: click.Context, /, **fields: Any) -> int:
    """Forward TCP connections to a backend, inside the Linux kernel."""
    if ctx.invoked_subcommand is not None:
        return ExitStatus.OK
    settings = Settings(**fields)
    check_listeners(settings)
    # Late, so that --help and a usage error need not wait for Trio.
    from spliceproxy.proxy.supervisor import supervise

    return supervise(settings)


def check_listeners(settings: Settings) -> None:
    """Refuse what each option allows by itself but not together with the others."""
    for option, addresses in (("--listen", settings.listen), ("--backend", settings.backends)):
        if not addresses:
            raise UsageProblem(
                f"{option} is missing", f"expected it once or more, as in: {EXAMPLE}"
            )
    duplicate = find_duplicate(settings.listen)
    if duplicate is not None:
        what = "path" if isinstance(duplicate, UnixAddress) else "host and port"
        raise UsageProblem(
            f"--listen: {duplicate} is given twice", f"expected another {what} for each listener"
        )


def run(arguments: Sequence[str]) -> int:
    """Run the command and return the exit status; any problem is one line on stderr."""
    try:
        return int(command.main(list(arguments), prog_name=PROGRAM, standalone_mode=False) or 0)
    except Problem as problem:
        return report(problem.status, str(problem))
    except click.Abort:  # how click passes on a KeyboardInterrupt
        return ExitStatus.OK
    except click.ClickException as problem:
        return report(ExitStatus.USAGE, describe(problem))
    except Exception as problem:  # the last resort, with everything that is known about it
        traceback.print_exc()
        what = f"internal error: {type(problem).__name__}: {problem}"
        return report(ExitStatus.INTERNAL, f"{what}; please report it with the lines above")


def report(status: ExitStatus, line: str) -> ExitStatus:
    """Say what ends the program, in one line."""
    print(f"{PROGRAM}: {one_line(line)}", file=sys.stderr)  # noqa: T201 - for the terminal, not the log
    return status


def describe(problem: click.ClickException) -> str:
    """Return click's message, led by the option or by the variable that the value came from."""
    if not isinstance(problem, click.BadParameter) or problem.param is None:
        return f"{problem.format_message().removesuffix('.')}; see {PROGRAM} --help"
    name, context = problem.param.name, problem.ctx
    source = context.get_parameter_source(name) if context and name else None
    if source is click.core.ParameterSource.ENVIRONMENT:
        return f"{problem.param.envvar}: {problem.message}"
    return f"{problem.param.opts[0]}: {problem.message}"


def main() -> NoReturn:
    """Run the command with the process's arguments, and exit."""
    sys.exit(run(sys.argv[1:]))
