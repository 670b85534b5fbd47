"""The reason that the log and the metrics give for a link's end."""

from spliceproxy import reasons
from spliceproxy.pump.ending import Ending
from spliceproxy.pump.link import Link

_REASONS = {
    Ending.SILENT: reasons.IDLE_TIMEOUT,
    Ending.HALF_CLOSED_SILENT: reasons.HALF_CLOSED_TIMEOUT,
    Ending.TOO_OLD: reasons.LIFETIME_TIMEOUT,
    Ending.CRASHED: reasons.INTERNAL_ERROR,
}


def reason_of(link: Link) -> str:
    """Name how a link has ended; a word of whoever closed it stands for itself."""
    if link.ending is Ending.COMPLETE:  # nearly all
        return reasons.CLOSED
    if link.failed is not None:
        return reasons.name_error(link.failed.name, link.error_number)
    return link.ending if isinstance(link.ending, str) else _REASONS[link.ending]
