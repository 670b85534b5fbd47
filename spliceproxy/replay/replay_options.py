"""What a replay is asked for."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from spliceproxy.replay.connection_filter import ConnectionFilter
from spliceproxy.replay.value_patterns import ValuePattern
from spliceproxy.settings.address import Address


class Pace(StrEnum):
    """What a player waits for before it sends a piece."""

    TIMED = "timed"  # its time
    ANSWERS = "answers"  # as many answer bytes as were recorded before it
    MAX = "max"  # nothing but the target


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """As the command line has it; `docs/replay.md` tells what each one means."""

    directory: Path
    target: Address
    pace: Pace = Pace.TIMED
    arrival: float = 1.0
    """Factor for the times between beginnings of connections."""
    think: float = 1.0
    """Factor for the times within a connection."""
    copies: int = 1
    max_connections: int = 10_000
    answer_timeout_s: float = 5.0
    """So long a player waits for answers of which nothing comes."""
    stall_timeout_s: float = 30.0
    """So long it waits to be connected, or for a target that does not read."""
    wanted: ConnectionFilter = field(default_factory=ConnectionFilter)
    sends_incomplete: bool = False
    keeps_going: bool = False
    substitutes: tuple[ValuePattern, ...] = ()
    """What of answers stands in later requests, and is to be the target's there."""
    substitutes_across: bool = False
    """In requests of other connections, too."""
    start_at_s: float | None = None
    """Since 1970."""
    record: Path | None = None
    checkpoint: Path | None = None
    report: Path | None = None
    read_ahead_bytes: int = 64 << 20
    """Most that waits for players, in memory."""

    def describe(self) -> str:
        """Return what a checkpoint holds for."""
        return f"{self.wanted.describe()} copies {self.copies}"
