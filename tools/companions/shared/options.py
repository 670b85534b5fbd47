"""Options that the companions have in common, read as those of spliceproxy are."""

from collections.abc import Callable
from typing import Any

import click

from spliceproxy.cli.readers import Command, reads
from spliceproxy.settings.address import TcpAddress, parse_bound
from spliceproxy.settings.units import parse_duration, parse_positive_size, parse_size
from tools.companions.techniques.advice import ADVICE

LISTEN_FORMS = "[HOST:]PORT or [IPV6]:PORT"
MOST_CONNECTIONS = 10_000
LARGEST_BUFFER_BYTES = 1 << 30
Option = Callable[[Command], Command]


def parse_listen_tcp(text: str) -> TcpAddress:
    """Return where to listen; a port alone stands for every address."""
    address = parse_bound(text, LISTEN_FORMS)
    if not isinstance(address, TcpAddress):
        raise ValueError(f"{text!r} is a unix socket: expected {LISTEN_FORMS}")
    return address


def parse_buffer(text: str) -> int:
    """Return bytes that are to be held in memory: at least one, and no more than 1 GiB."""
    size_bytes = parse_positive_size(text)
    if size_bytes > LARGEST_BUFFER_BYTES:
        raise ValueError(f"{text!r} is too large: expected at most 1GiB")
    return size_bytes


def _positive_duration(text: str) -> float:
    duration_s = parse_duration(text)
    if not duration_s:
        raise ValueError(f"{text!r} is too short: expected at least 1ms")
    return duration_s


def _value(parse: Callable[[str], Any], metavar: str) -> Callable[..., Option]:
    def option(flag: str, field: str, explanation: str, default: str | None = None) -> Option:
        return click.option(
            flag,
            field,
            default=default,
            show_default=default is not None,
            callback=reads(parse),
            metavar=metavar,
            help=explanation,
        )

    return option


size = _value(parse_size, "SIZE")
positive_size = _value(parse_positive_size, "SIZE")
buffer_size = _value(parse_buffer, "SIZE")
duration = _value(parse_duration, "TIME")
positive_duration = _value(_positive_duration, "TIME")


def listen(default: str) -> Option:
    return click.option(
        "--listen",
        "address",
        default=default,
        show_default=True,
        callback=reads(parse_listen_tcp),
        metavar="[HOST:]PORT",
        help="Port 0 takes a free one, which the first line of output names.",
    )


def advice(command: Command) -> Command:
    return click.option(
        "--advise",
        "advice",
        type=click.Choice(ADVICE),
        multiple=True,
        callback=lambda _context, _option, given: frozenset(given),
        help="Tell the kernel about the file's pages (posix_fadvise); may be repeated.",
    )(command)


def connection_limit(command: Command) -> Command:
    return click.option(
        "--max-connections",
        type=click.IntRange(1, MOST_CONNECTIONS),
        default=1000,
        show_default=True,
        help="Further ones are reset.",
    )(command)
