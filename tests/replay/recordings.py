"""Captures for replays, and replays of them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spliceproxy.replay.replay_options import Pace, ReplayOptions
from spliceproxy.replay.run import ReplayEnd, replay
from spliceproxy.settings.address import Address
from tests.capture.recorded import Recorded


def talk(
    recorded: Recorded,
    number: int,
    pieces: Iterable[bytes],
    at_ms: float = 0,
    gap_ms: float = 1,
    **facts: str,
) -> bytes:
    """Record a connection whose backend echoes each piece; returns the request."""
    offset = 0
    recorded.open(number, at_ms, is_continued=False, **facts)
    for piece in pieces:
        at_ms += gap_ms
        recorded.data(number, piece, at_ms, offset=offset)
        recorded.data(number, piece, at_ms, direction="response", offset=offset)
        offset += len(piece)
    recorded.end(number, offset, at_ms + gap_ms)
    recorded.end(number, offset, at_ms + gap_ms, direction="response")
    recorded.close(number, at_ms + gap_ms)
    return b"".join(pieces)


async def replayed(directory: Path, target: Address, pace: Pace, **options: Any) -> ReplayEnd:
    return await replay(ReplayOptions(directory=directory, target=target, pace=pace, **options))


def connections(end: ReplayEnd) -> Any:
    return end.summary["connections"]


def moved(end: ReplayEnd) -> Any:
    return end.summary["bytes"]
