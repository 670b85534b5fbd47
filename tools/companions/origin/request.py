"""A request as the site sees it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """The request line and the header; names in lower case, a repeated field as one list."""

    method: str
    target: bytes
    headers: Mapping[str, str]
    http_version: str = "1.1"


def collect_headers(fields: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return fields by name; what is repeated is joined by commas (RFC 9110, 5.3)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in fields:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
