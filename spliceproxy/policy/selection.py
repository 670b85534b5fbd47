"""Which connections an order or a question of an operator is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network


class SelectionError(ValueError):
    """A selection that is not understood; the text says why."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Connections that have all of what is given; what is None may be anything."""

    route: str | None = None
    backend: str | None = None
    client: IPv4Network | IPv6Network | None = None
    number: str | None = None
    """The connection's own."""

    @classmethod
    def parse(cls, given: Mapping[str, object]) -> "Selection":
        """Read a selection from texts by name.

        Raises:
            SelectionError: a name or a value is not understood.
        """
        texts: dict[str, str] = {}
        for name, value in given.items():
            if name not in ("route", "backend", "client", "number"):
                raise SelectionError(f"{name!r} selects nothing: route, backend, client, number")
            if not isinstance(value, str) or not value:
                raise SelectionError(f"{name} is not a text")
            texts[name] = value
        client = texts.pop("client", None)
        return cls(client=None if client is None else parse_network(client), **texts)

    def as_texts(self) -> dict[str, str]:
        """Return what `parse` reads."""
        fields = (self.route, self.backend, self.client, self.number)
        names = ("route", "backend", "client", "number")
        return {n: str(field) for n, field in zip(names, fields, strict=True) if field is not None}

    @property
    def everything(self) -> bool:
        """Whether nothing is excluded."""
        return self == Selection()

    def has_client(self, host: str) -> bool:
        """Whether a client with that address is meant."""
        if self.client is None:
            return True
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:  # a unix socket's client
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address) in self.client


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """Return a network, or an address as a network of its own.

    Raises:
        SelectionError: it is neither.
    """
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise SelectionError(f"{text[:60]!r} is not an address or a network") from None
