"""The group of commands."""

import click

from spliceproxy.cli.capture.compress import compress
from spliceproxy.cli.capture.connections import connections
from spliceproxy.cli.capture.follow import follow
from spliceproxy.cli.capture.ls import ls
from spliceproxy.cli.capture.pcapng import pcapng
from spliceproxy.cli.capture.prune import prune
from spliceproxy.cli.capture.show import show


@click.group()
def capture() -> None:
    """Read what `capture:` mirrors have written.

    Exit status 1 when something of it could not be read, or is missing.
    """


for _command in (ls, connections, show, follow, pcapng, compress, prune):
    capture.add_command(_command)
