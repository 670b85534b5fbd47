"""`python -m tools.companions.ring.read NAME`: a ring with a name to standard output."""

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
    """Copy the ring NAME to standard output, from `tools.companions.ring.write NAME`.

    Whichever of the two is started first waits for the other. A writer that dies is told of, once
    all that it had published is out.
    """
    chunk = memoryview(bytearray(CHUNK_BYTES))
    try:
        with named.reader(name, ring_kib << 10, timeout_s, say) as end:
            meter = Meter()
            while count := end.read_into(chunk, timeout_s):
                left = chunk[:count]
                while left:
                    left = left[os.write(sys.stdout.fileno(), left) :]
                meter.total_bytes += count
    except (RingError, OSError) as error:
        raise click.ClickException(str(error)) from None
    say(f"{name}: {meter.told()}")


if __name__ == "__main__":
    main()
