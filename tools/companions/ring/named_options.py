"""What `tools.companions.ring.write` and `tools.companions.ring.read` have in common."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import click

from tools.companions.ring import memory

CHUNK_BYTES = 64 << 10

Command = Callable[..., None]


def say(line: str) -> None:
    click.echo(line, err=True)


def common(command: Command) -> Command:
    """Add the name and the options of either end."""
    for decorate in (
        click.option(
            "--timeout",
            "timeout_s",
            type=click.FloatRange(0.1, 86_400),
            default=None,
            callback=lambda _context, _parameter, value: math.inf if value is None else value,
            help="Seconds to wait for the other end, and then for its bytes. Default: no limit.",
        ),
        click.option(
            "--ring",
            "ring_kib",
            type=click.IntRange(1, memory.LARGEST_CAPACITY_BYTES >> 10),
            default=1024,
            show_default=True,
            help="Capacity in KiB, where this end comes first.",
        ),
        click.argument("name"),
    ):
        command = decorate(command)
    return command


class Meter:
    """Counts bytes, and tells them at the end."""

    def __init__(self) -> None:
        self.total_bytes = 0
        self._began_s = time.monotonic()

    def told(self) -> str:
        elapsed_s = time.monotonic() - self._began_s
        return f"{self.total_bytes:,} bytes, {self.total_bytes / 1e6 / elapsed_s:,.0f} MB/s"
