"""What a mirror may be told of the connection that it gets copies of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """Who talks to whom; as the log has it."""

    route: str
    client: str
    backend: str
    connection: str
    """Its number, as `spliceproxy ctl connections` shows it."""
    started: str
    """When it was accepted: ISO 8601, UTC."""
