"""How long a route waits."""

from spliceproxy.settings import help_texts
from spliceproxy.settings.fields import NextAddress, TcpUserTimeout, Timeout
from spliceproxy.settings.model import Model, key


class Timeouts(Model):
    """How long a route waits for what."""

    connect_s: Timeout = key("connect", help_texts.CONNECT_TIMEOUT, default=5.0)
    next_address_s: NextAddress = key(
        "next_address",
        "Where a backend's name has several addresses: try the next one beside one that has not "
        "answered by then (RFC 8305). 0 tries one after the other.",
        default=0.25,
    )
    idle_s: Timeout = key(
        "idle",
        help_texts.IDLE_TIMEOUT,
        default=3600.0,
    )
    tcp_user_s: TcpUserTimeout = key(
        "tcp_user",
        help_texts.TCP_USER_TIMEOUT,
        default=0.0,
    )
    client_hello_s: Timeout = key(
        "client_hello",
        "Refuse a client that has not sent its TLS hello, or PROXY header, or agreed on TLS, by "
        "then. Only where there is `sni`, `accept_proxy` or `tls`.",
        default=5.0,
    )
    half_closed_s: Timeout | None = key(
        "half_closed",
        "When one direction has ended: how long the other may be silent. Without it: as `idle`.",
        default=None,
    )
    lifetime_s: Timeout | None = key(
        "lifetime",
        "Close a connection this long after it was connected, whatever it moves. Without it: "
        "never.",
        default=None,
    )
