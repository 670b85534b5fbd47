"""Options of commands that replay: what of live answers goes into later requests."""

from typing import TYPE_CHECKING

import click

from spliceproxy.cli.readers import Command, reads

if TYPE_CHECKING:
    from spliceproxy.replay.value_patterns import ValuePattern


def _parse(text: str) -> "ValuePattern":
    from spliceproxy.replay.value_patterns import ValuePattern

    return ValuePattern.parse(text)


SUBSTITUTE_OPTIONS = (
    click.option(
        "--substitute",
        "substitutes",
        multiple=True,
        metavar="REGEX",
        callback=reads(_parse),
        help="What its group finds in a recorded answer is replaced in later requests by what it"
        ' finds in the target\'s, such as "token":"([^"]+)". Repeatable.',
    ),
    click.option(
        "--substitute-across",
        "substitutes_across",
        is_flag=True,
        help="In requests of other connections, too.",
    ),
)


def substituting(command: Command) -> Command:
    """Add the options."""
    for option in reversed(SUBSTITUTE_OPTIONS):
        command = option(command)
    return command
