"""Which connections a mirror is for, by what is known of them when they begin."""

from spliceproxy.policy.networks import NetworkTable
from spliceproxy.policy.sni import SniTable
from spliceproxy.settings.mirror import MirrorSettings


class MirrorFilter:
    """Tells whether a connection has all that the mirror asks for."""

    def __init__(self, settings: MirrorSettings) -> None:
        self._clients: NetworkTable[bool] | None = None
        self._names: SniTable[bool] | None = None
        if settings.clients:
            self._clients = NetworkTable(dict.fromkeys(settings.clients, True), default=False)
        if settings.server_names:
            self._names = SniTable(dict.fromkeys(settings.server_names, True), {}, default=False)

    def admits(self, host: str, server_name: str | None) -> bool:
        """Look at a client's address, and at the name that it has asked for by TLS, if it has."""
        if self._names is not None and not self._names.lookup(server_name):
            return False
        if self._clients is None:
            return True
        try:
            return self._clients.lookup(host)
        except ValueError:  # of a unix socket
            return False


def make_filter(settings: MirrorSettings) -> MirrorFilter | None:
    """Return what a mirror asks for; None: nothing."""
    return MirrorFilter(settings) if settings.clients or settings.server_names else None
