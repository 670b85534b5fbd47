"""How the text of an option becomes a value, and how the environment stands in for it."""

from collections.abc import Callable
from typing import Any

import click

ENVIRONMENT_PREFIX = "SPLICEPROXY_"

Command = Callable[..., Any]
Callback = Callable[[click.Context, click.Parameter, Any], Any]


def reads(parse: Callable[[str], Any]) -> Callback:
    """Return a callback for click that parses the option's text, or each of its texts."""

    def callback(ctx: click.Context, param: click.Parameter, given: Any) -> Any:
        if given is None:
            return None
        try:
            return tuple(map(parse, given)) if isinstance(given, tuple) else parse(given)
        except ValueError as problem:
            raise click.BadParameter(str(problem), ctx, param) from None

    return callback


def setting(
    flags: str, field: str, *, short: str = "", **attributes: Any
) -> Callable[[Command], Command]:
    """Return an option for a field of `Settings` that is also read from the environment."""
    variable = ENVIRONMENT_PREFIX + flags.split("/")[0].strip("-").replace("-", "_").upper()
    attributes.setdefault("show_default", True)
    names = filter(None, (flags, short))
    return click.option(*names, field, envvar=variable, **attributes)


def duration(
    flags: str, field: str, default: str, parse: Callable[[str], float], explanation: str
) -> Callable[[Command], Command]:
    """Return an option that takes a duration."""
    return setting(
        flags, field, default=default, callback=reads(parse), metavar="TIME", help=explanation
    )
