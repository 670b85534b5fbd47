"""`python -m tools.companions.ring`: bytes from one process to another through shared memory.

A ring in a memory map that both processes share, beside a pipe and a pair of sockets that carry
the same bytes. The ring takes a copy in and a copy out like the others; what it saves is the
system calls, and what it asks for is said in `tools/companions/ring/counters.py`.
"""

from __future__ import annotations

import click

from tools.companions.ring import compare, memory
from tools.companions.ring.errors import RingError
from tools.companions.ring.sender import Order
from tools.companions.ring.ways import WAYS

KIB, MIB = 1 << 10, 1 << 20
RIVALS = ("pipe", "socketpair")


@click.command()
@click.option(
    "--wake",
    type=click.Choice(["eventfd", "poll", "both"]),
    default="both",
    show_default=True,
    help="How an end of the ring learns of the other's bytes.",
)
@click.option(
    "--size",
    "size_mib",
    type=click.IntRange(1, 1 << 16),
    default=512,
    show_default=True,
    help="MiB to carry in each measurement.",
)
@click.option(
    "--ring",
    "ring_kib",
    type=click.IntRange(1, memory.LARGEST_CAPACITY_BYTES // KIB),
    default=1024,
    show_default=True,
    help="Capacity in KiB, of the ring and of the pipe.",
)
@click.option(
    "--chunk",
    "chunk_kib",
    type=click.IntRange(1, 1 << 14),
    default=64,
    show_default=True,
    help="KiB of each write and read.",
)
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0.1, 3600),
    default=10.0,
    show_default=True,
    help="Seconds that an end of the ring waits for the other.",
)
@click.option(
    "--die-after",
    "die_after_mib",
    type=click.IntRange(1),
    help="Kill the writer after so many MiB, and show what the reader of the ring gets.",
)
def main(
    *,
    wake: str,
    size_mib: int,
    ring_kib: int,
    chunk_kib: int,
    rounds: int,
    timeout_s: float,
    die_after_mib: int | None,
) -> None:
    """Measure a ring in shared memory against a pipe and a pair of sockets.

    Every way first carries some bytes under a checksum. Both processes' CPU is counted.
    """
    rings = [way for way in WAYS if way == f"ring-{wake}" or (wake == "both" and "ring" in way)]
    ways = rings if die_after_mib else [*rings, *RIVALS]
    order = Order(
        size_mib * MIB, chunk_kib * KIB, timeout_s, die_after_bytes=(die_after_mib or 0) * MIB
    )
    capacity_bytes = ring_kib * KIB
    try:
        compare.check(ways, order, capacity_bytes)
        samples = compare.measure(
            ways, order, capacity_bytes, rounds, lambda line: click.echo(line, err=True)
        )
    except (RingError, OSError) as error:
        raise click.ClickException(str(error)) from None
    title = f"{size_mib:,} MiB in chunks of {chunk_kib:,} KiB, {rounds} rounds, medians"
    click.echo(compare.table(samples, title))


if __name__ == "__main__":
    main()
