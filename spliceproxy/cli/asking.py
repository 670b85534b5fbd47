"""The options of every command that asks a running proxy."""

import click

from spliceproxy.cli.readers import Command, reads
from spliceproxy.settings.address import BACKEND_FORMS, parse_backend

DEFAULT_ADMIN = "unix:/run/spliceproxy/admin.sock"

_OPTIONS = (
    click.option(
        "--admin",
        "address",
        default=DEFAULT_ADMIN,
        show_default=True,
        envvar="SPLICEPROXY_CTL",
        callback=reads(parse_backend),
        metavar="ADDRESS",
        help=f"The proxy's admin interface: {BACKEND_FORMS}.",
    ),
    click.option(
        "--token", envvar="SPLICEPROXY_CTL_TOKEN", metavar="TOKEN", help="If it needs one."
    ),
)


def asking(command: Command) -> Command:
    """Add the options that say whom to ask; they arrive as `address` and `token`."""
    for add in reversed(_OPTIONS):
        command = add(command)
    return command
