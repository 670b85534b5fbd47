"""Streams of a captured connection that were too many: no outlet has taken anything of them."""

from dataclasses import dataclass
from typing import Any

from spliceproxy.formats.capture.layout import Flag
from spliceproxy.sinks.capture_index import CapturedConnection


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A direction of which the capture has nothing, though it was to have it."""

    flags: int
    offset: int
    length: int
    reason: str


def left_out_streams(
    connection: CapturedConnection, record: dict[str, Any], mirror: str
) -> list[LeftOut]:
    """Return them by the accounts of a connection's last record; those of no bytes lack nothing."""
    begins_at = record.get("attached_at") or {}
    return [
        LeftOut(
            Flag.RESPONSE if account["direction"] == "response" else 0,
            begins_at.get(account["direction"], 0),
            account["offered_bytes"],
            account["reason"],
        )
        for account in record.get("mirrors") or ()
        if account["to"] == mirror
        and account["direction"] not in connection.streams
        and account["offered_bytes"]
    ]
