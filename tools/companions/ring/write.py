"""`python -m tools.companions.ring.write NAME`: standard input into a ring with a name."""

from __future__ import annotations

import os
import sys

import click

from tools.companions.ring import named
from tools.companions.ring.errors import RingError
from tools.companions.ring.named_options import CHUNK_BYTES, Meter, common, say


@click.command()
@common
def main(*, name: str, ring_kib: int, timeout_s: float) -> None:
    """Write standard input into the ring NAME, for `tools.companions.ring.read NAME`.

    Whichever of the two is started first waits for the other.
    """
    chunk = memoryview(bytearray(CHUNK_BYTES))
    try:
        with named.writer(name, ring_kib << 10, timeout_s, say) as end:
            meter = Meter()
            while count := os.readv(sys.stdin.fileno(), [chunk]):
                end.write(chunk[:count], timeout_s)
                meter.total_bytes += count
    except (RingError, OSError) as error:
        raise click.ClickException(str(error)) from None
    say(f"{name}: {meter.told()}")


if __name__ == "__main__":
    main()
