"""How a link may end, and when it does though its peers are well."""

from enum import Enum, auto
from typing import Protocol


class Ending(Enum):
    """What ended a link, unless somebody has closed it with a word of their own."""

    COMPLETE = auto()
    """Both streams ended in an orderly way, and all bytes before that were handed on."""
    FAILED = auto()
    """A peer is gone: `Link.failed`, with `Link.error_number`."""
    SILENT = auto()
    HALF_CLOSED_SILENT = auto()
    TOO_OLD = auto()
    CRASHED = auto()


class LinkTimeouts(Protocol):
    """How long a link may last, as the settings' `Timeouts` say it; None: for ever."""

    idle_s: float
    """Silence in both directions, then it is `SILENT`."""
    half_closed_s: float | None
    """Instead, when one direction has ended, silence in the other: `HALF_CLOSED_SILENT`."""
    lifetime_s: float | None
    """From the beginning, however much is moved: `TOO_OLD`."""
