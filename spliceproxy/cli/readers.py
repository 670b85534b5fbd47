"""How the text of an option becomes a value, and how the environment stands in for it."""

from collections.abc import Callable
from typing import Any

import click

from spliceproxy.errors import quote
from spliceproxy.settings.options import usable_cpus
from spliceproxy.settings.units import format_duration, parse_duration

ENVIRONMENT_PREFIX = "SPLICEPROXY_"
MAX_WORKERS = 1024
MIN_TIMEOUT_S = 0.001

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


def setting(flags: str, field: str, **attributes: Any) -> Callable[[Command], Command]:
    """Return an option for a field of `Settings` that is also read from the environment."""
    variable = ENVIRONMENT_PREFIX + flags.split("/")[0].strip("-").replace("-", "_").upper()
    attributes.setdefault("show_default", True)
    return click.option(flags, field, envvar=variable, **attributes)


def duration(
    flags: str,
    field: str,
    default: str,
    explanation: str,
    *,
    least_s: float = MIN_TIMEOUT_S,
    most_s: float = float("inf"),
) -> Callable[[Command], Command]:
    """Return an option that takes a bounded duration."""

    def parse(text: str) -> float:
        seconds = parse_duration(text)
        if seconds < least_s:
            raise ValueError(f"{text!r} is too short: expected {format_duration(least_s)} or more")
        if seconds > most_s:
            raise ValueError(f"{text!r} is too long: expected at most {format_duration(most_s)}")
        return seconds

    return setting(
        flags, field, default=default, callback=reads(parse), metavar="TIME", help=explanation
    )


def count_up_to(most: int) -> Callable[[str], int]:
    """Return a parser for whole numbers from 1."""

    def parse(text: str) -> int:
        plain = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
        if not plain or not 1 <= int(text) <= most:
            raise ValueError(f"{quote(text)} is not understood: expected 1 to {most}")
        return int(text)

    return parse


def parse_workers(text: str) -> int:
    """Return a number of workers; `auto` is one for each CPU that this process may use."""
    if text == "auto":
        return usable_cpus()
    try:
        return count_up_to(MAX_WORKERS)(text)
    except ValueError as problem:
        raise ValueError(f"{problem}, or 'auto'") from None
