"""A backend as an SRV record has it."""

from dataclasses import dataclass

from spliceproxy.settings.address import TcpAddress


@dataclass(frozen=True, slots=True)
class SrvTarget:
    """Where it is, and how much it is to get beside the others that are listed."""

    tier: int
    """0 for those of the first priority, 1 for the next one, and so on."""
    weight: int
    address: TcpAddress
