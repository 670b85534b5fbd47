"""What a mirror may be told of the connection that it gets copies of."""

from dataclasses import dataclass, fields


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
    listener: str = ""
    peer: str | None = None
    """Who connected to the listener, where that is another proxy that spoke for the client."""
    backend_name: str = ""
    """The same backend as it is configured."""
    server_name: str | None = None
    """What the client's TLS hello asked for."""
    tls: dict[str, str | bool] | None = None
    """What a TLS handshake with the client has agreed on, where it has ended here."""
    tlvs: dict[str, str | bool] | None = None
    """What a PROXY header has told of the client besides its addresses."""

    def line(self) -> dict[str, object]:
        """Return what is known by its names."""
        return {name: value for name in _NAMES if (value := getattr(self, name))}


_NAMES = tuple(field.name for field in fields(ConnectionFacts))
