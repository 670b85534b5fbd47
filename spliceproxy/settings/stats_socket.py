"""The settings of the statistics socket."""

from pydantic import field_validator

from spliceproxy.settings.address import UnixAddress
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.listen_address import ListenAddress


class StatsSocketSettings(ListenSettings):
    """A unix socket: its clients have no token, and may give orders."""

    @field_validator("address")
    @classmethod
    def _is_unix(cls, address: ListenAddress) -> ListenAddress:
        if not isinstance(address, UnixAddress) or address.is_abstract:
            raise ValueError(f"cannot be {address}: expected unix:PATH")
        return address
