"""The options of commands that write events as text."""

from collections.abc import Callable

import click

from spliceproxy.cli.readers import Command, reads
from spliceproxy.settings.units import parse_positive_size


def telling(default_limit: str) -> Callable[[Command], Command]:
    """Return what adds the options of a dialogue; they arrive by the names of its arguments."""
    options = (
        click.option("--text", "form", flag_value="text", help="All as text."),
        click.option("--hex", "form", flag_value="hex", help="All in hexadecimal."),
        click.option("--direction", type=click.Choice(["request", "response"]), help="This alone."),
        click.option(
            "--limit",
            "limit_bytes",
            metavar="SIZE",
            default=default_limit,
            show_default=True,
            callback=reads(parse_positive_size),
            help="Of each piece.",
        ),
    )

    def add_all(command: Command) -> Command:
        for add in reversed(options):
            command = add(command)
        return command

    return add_all
