"""Numbers and timeouts within the bounds that each setting has."""

from collections.abc import Callable

from spliceproxy.errors import quote
from spliceproxy.kernel.cpus import usable_cpus
from spliceproxy.settings.units import format_duration, parse_duration

MAX_WORKERS = 1024
MAX_CONNECTIONS = 10_000_000
MAX_RETRIES = 1000
MAX_GENERATIONS = 1000
MAX_BACKLOG = 2**31 - 1  # listen(2) takes an int; the kernel lowers it to net.core.somaxconn
MIN_TIMEOUT_S = 0.001
MIN_NEXT_ADDRESS_S = 0.01  # RFC 8305, section 5
MIN_HANG_TIMEOUT_S = 2.0  # twice the interval of a heartbeat
MAX_TCP_USER_TIMEOUT_S = 24 * 86_400  # the kernel counts milliseconds in a signed int


def count_up_to(most: int) -> Callable[[str], int]:
    """Return a parser for whole numbers from 1."""

    def parse(text: str) -> int:
        plain = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
        if not plain or not 1 <= int(text) <= most:
            raise ValueError(f"{quote(text)} is not understood: expected 1 to {most}")
        return int(text)

    return parse


def parse_retries(text: str) -> int:
    """Return how many further backends to try; 0 is none."""
    try:
        return 0 if text == "0" else count_up_to(MAX_RETRIES)(text)
    except ValueError:
        raise ValueError(f"{quote(text)} is not understood: expected 0 to {MAX_RETRIES}") from None


def duration_within(least_s: float, most_s: float = float("inf")) -> Callable[[str], float]:
    """Return a parser for bounded durations."""

    def parse(text: str) -> float:
        seconds = parse_duration(text)
        if seconds < least_s:
            raise ValueError(f"{text!r} is too short: expected {format_duration(least_s)} or more")
        if seconds > most_s:
            raise ValueError(f"{text!r} is too long: expected at most {format_duration(most_s)}")
        return seconds

    return parse


def parse_next_address(text: str) -> float:
    """Return a duration; 0 is never."""
    seconds = parse_duration(text)
    return duration_within(MIN_NEXT_ADDRESS_S)(text) if seconds else 0.0


def parse_hang_timeout(text: str) -> float:
    """Return a duration; 0 is never."""
    seconds = parse_duration(text)
    return duration_within(MIN_HANG_TIMEOUT_S)(text) if seconds else 0.0


parse_max_connections = count_up_to(MAX_CONNECTIONS)
parse_max_generations = count_up_to(MAX_GENERATIONS)
parse_backlog = count_up_to(MAX_BACKLOG)
parse_timeout = duration_within(MIN_TIMEOUT_S)
parse_drain_timeout = duration_within(0)
parse_tcp_user_timeout = duration_within(0, MAX_TCP_USER_TIMEOUT_S)


def parse_workers(text: str) -> int:
    """Return a number of workers; `auto` is one for each CPU that this process may use."""
    if text == "auto":
        return usable_cpus()
    try:
        return count_up_to(MAX_WORKERS)(text)
    except ValueError as problem:
        raise ValueError(f"{problem}, or 'auto'") from None
