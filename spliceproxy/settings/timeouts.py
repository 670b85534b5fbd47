"""How long a route waits."""

from spliceproxy.settings.fields import TcpUserTimeout, Timeout
from spliceproxy.settings.model import Model, key


class Timeouts(Model):
    """How long a route waits for what."""

    connect_s: Timeout = key("connect", "Give up on a backend after this.", default=5.0)
    idle_s: Timeout = key(
        "idle",
        "Close a connection that is silent in both directions for this long.",
        default=3600.0,
    )
    tcp_user_s: TcpUserTimeout = key(
        "tcp_user",
        "Drop a peer that acknowledges nothing for this long; 0s is the kernel's own rule.",
        default=0.0,
    )
