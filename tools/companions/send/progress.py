"""The bar on a terminal: how far, how fast, how long still."""

import sys
from collections.abc import Callable

import click
import trio

REDRAW_INTERVAL_S = 0.1


async def show(total_bytes: int, measure: Callable[[], int]) -> None:
    """Draw on standard error, again and again until the task is cancelled."""
    start_s = trio.current_time()
    shown_bytes = 0
    with click.progressbar(length=total_bytes, label="sending", file=sys.stderr) as bar:
        while True:
            try:
                await trio.sleep(REDRAW_INTERVAL_S)
            finally:  # the last time when all is over, however it ended
                sent_bytes = measure()
                mb_per_s = sent_bytes / 1e6 / max(trio.current_time() - start_s, 1e-6)
                bar.label = f"{sent_bytes / 1e6:,.0f} MB, {mb_per_s:,.0f} MB/s"
                bar.update(sent_bytes - shown_bytes)
                shown_bytes = sent_bytes


def is_wanted(total_bytes: int) -> bool:
    """Whether there is a terminal to draw on, and something to wait for."""
    return total_bytes > 0 and sys.stderr.isatty()
