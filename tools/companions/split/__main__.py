"""Entry point of the splitter: `python -m tools.companions.split`."""

import sys
from contextlib import ExitStack

import click

from spliceproxy.cli.readers import reads
from spliceproxy.errors import Problem
from spliceproxy.kernel.sockets import finish_cleanly
from spliceproxy.settings.address import TcpAddress
from tools.companions.shared.failures import give_up
from tools.companions.shared.options import parse_listen_tcp
from tools.companions.split.places import accept_one, open_target, take_standard_input
from tools.companions.split.splitter import Target, split

MOST_TARGETS = 64
INTERRUPTED = 130  # as a shell says of a program that SIGINT ended


@click.command()
@click.option(
    "--listen",
    "address",
    callback=reads(parse_listen_tcp),
    metavar="[HOST:]PORT",
    help="Take the stream of one TCP connection, instead of standard input.",
)
@click.argument("names", nargs=-1, required=True, metavar="TARGET...")
def main(*, address: TcpAddress | None, names: tuple[str, ...]) -> None:
    """Copy a stream to several targets: file names, tcp://HOST:PORT, or - for standard output.

    The slowest sets the pace. A target that fails is left out, and the others go on. Exit status:
    0 all have everything, 1 one has not, 2 usage, 3 one cannot be opened, 130 interrupted.
    """
    if len(names) > MOST_TARGETS:
        raise click.UsageError(f"{len(names)} targets are too many: expected up to {MOST_TARGETS}")
    try:
        status = _run(address, names)
    except Problem as problem:
        give_up(problem)
    sys.exit(status)


def _run(address: TcpAddress | None, names: tuple[str, ...]) -> int:
    status = 0
    with ExitStack() as stack:
        opened = [open_target(name, stack) for name in names]
        targets = [target for target, _ in opened]
        try:
            split(accept_one(address, stack) if address else take_standard_input, targets)
        except KeyboardInterrupt:
            status = INTERRUPTED
        except OSError as error:
            print(f"Error: the source has failed: {error.strerror}", file=sys.stderr)
            status = 1
        else:
            for target, sock in opened:
                if sock and not target.problem:
                    finish_cleanly(sock)
        return _tell(targets) or status


def _tell(targets: list[Target]) -> int:
    """Tell on standard error what each target has; 1 if one of them failed."""
    for target in targets:
        end = f", then {target.problem}" if target.problem else ""
        print(f"{target.name}: {target.written_bytes} bytes{end}", file=sys.stderr)
    return 1 if any(target.problem for target in targets) else 0


if __name__ == "__main__":
    main()
