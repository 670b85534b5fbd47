"""The names of the ways in which a connection ends."""

import errno

CLOSED = "closed"
"""Both directions ended with an orderly end of stream, all bytes before it."""
IDLE_TIMEOUT = "idle_timeout"
HALF_CLOSED_TIMEOUT = "half_closed_timeout"
"""One direction had ended, and the other was silent for too long."""
LIFETIME_TIMEOUT = "lifetime_timeout"
CONNECT_TIMEOUT = "connect_timeout"
OVERTAKEN = "connect_overtaken"
"""Another address of the backend, tried later, has answered before this one."""
NO_BACKEND_ADDRESS = "no_backend_address"
LOOP = "loop"
"""The backend is a listener of this proxy that leads back to the same route."""
CLIENT_LEFT = "client_left"
UNTRUSTED = "untrusted"
"""Not one of the proxies whose PROXY headers are believed."""
BAD_PROXY_HEADER = "bad_proxy_header"
TOO_MANY_HOPS = "too_many_hops"
"""It has come through so many proxies by PROXY headers that it must be going round."""
PROXY_HEADER_TIMEOUT = "proxy_header_timeout"
BAD_CLIENT_HELLO = "bad_client_hello"
CLIENT_HELLO_TIMEOUT = "client_hello_timeout"
CLIENT_CERTIFICATE_REFUSED = "client_certificate_refused"
"""It is none of those that the listener lets in, or has expired since its session began."""
NO_STARTTLS = "no_starttls"
"""The client goes on without TLS where it has to ask for it."""
BAD_STARTTLS = "bad_starttls"
"""What the client says where it has to ask for TLS is not of the protocol."""
STARTTLS_TIMEOUT = "starttls_timeout"
PLAINTEXT_BEFORE_TLS = "plaintext_before_tls"
"""Bytes came without TLS behind the client's request for it: they may be somebody else's."""
BACKEND_WITHOUT_TLS = "backend_without_tls"
"""The backend, asked for TLS in its protocol, has none."""
BACKEND_BAD_STARTTLS = "backend_bad_starttls"
BACKEND_PLAINTEXT_BEFORE_TLS = "backend_plaintext_before_tls"
BACKEND_UNREADY = "backend_unready"
"""Its greeting says that it serves nobody now."""
CLIENT_NOT_TLS = "client_not_tls"
"""What the client began with, at a listener that speaks TLS, is none."""
CLIENT_TLS_TIMEOUT = "client_tls_timeout"
CLIENT_TLS_FAILED = "client_tls_failed"
CLIENT_TLS_MISMATCH = "client_tls_mismatch"
"""No version, cipher suite or protocol in common."""
CLIENT_TLS_ALERT = "client_tls_alert"
"""The client has ended the handshake; the alert tells why."""
CLIENT_NO_CERTIFICATE = "client_no_certificate"
CLIENT_BAD_CERTIFICATE = "client_bad_certificate"
CLIENT_TLS_CROWDED_OUT = "client_tls_crowded_out"
"""Too many handshakes were under way, and this was the oldest."""
BACKEND_NOT_TLS = "backend_not_tls"
BACKEND_TLS_TIMEOUT = "backend_tls_timeout"
BACKEND_TLS_FAILED = "backend_tls_failed"
BACKEND_TLS_MISMATCH = "backend_tls_mismatch"
BACKEND_TLS_ALERT = "backend_tls_alert"
BACKEND_BAD_CERTIFICATE = "backend_bad_certificate"
"""It is not valid, or not for the name that the backend is to have."""
NO_ROUTE = "no_route"
"""Neither its server name nor its protocol leads anywhere, and there are no other backends."""
BACKENDS_DOWN = "backends_down"
"""No backend of the route gets connections now."""
BACKEND_DOWN = "backend_down"
"""The backend of a live connection is down, and its route says `on_down: close`."""
QUEUE_FULL = "queue_full"
QUEUE_TIMEOUT = "queue_timeout"
"""Every backend that can be reached was full for too long."""
HEADER_CUT_SHORT = "header_cut_short"
"""A new connection to a backend did not take the whole PROXY protocol header."""
SOURCE_UNAVAILABLE = "source_unavailable"
"""The address to connect from is not, or no longer, one of this machine."""
NO_CPU_TIME = "no_cpu_time"
"""This process was late itself: what was to be there in time may have been."""
DRAIN_DEADLINE = "drain_deadline"
STOPPED = "stopped"
CLOSED_BY_OPERATOR = "closed_by_operator"
MIRROR_FAILED = "mirror_failed"
"""A mirror that traffic must not do without (``overflow=block``) has failed."""
MIRROR_FAILING = "mirror_failing"
"""Such a mirror is known to fail, so the client is not let in."""
INTERNAL_ERROR = "internal_error"

_PEER_ERRORS = {
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ENOTCONN: "reset",
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "timed_out",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.ENETDOWN: "unreachable",
    errno.ENOENT: "absent",  # a unix socket's path
    errno.EACCES: "forbidden",  # likewise, or a firewall
    errno.EPERM: "forbidden",
    errno.ENODATA: "tls_truncated",  # as `tls_socket` has it, which no other socket does
    errno.EBADMSG: "tls_broken",  # likewise, and kernel TLS (tls(7), linux/net/tls)
}

_EXHAUSTION = {
    errno.EMFILE: "no_descriptors",
    errno.ENFILE: "no_descriptors",
    errno.ENOBUFS: "no_memory",
    errno.ENOMEM: "no_memory",
}

_OWN_ERRORS = {errno.EADDRNOTAVAIL: "no_local_port", **_EXHAUSTION}

EXHAUSTION_ERRNOS = frozenset(_EXHAUSTION)
"""This process or machine has used up what a socket takes: any other call for one would fail, too,
until something is closed (accept(2), socket(2))."""

OWN = frozenset({*_OWN_ERRORS.values(), SOURCE_UNAVAILABLE, LOOP, NO_CPU_TIME, INTERNAL_ERROR})
"""Those that are this proxy's or this machine's, and say nothing of the peer."""

EXHAUSTED = frozenset(_EXHAUSTION.values())
"""Their names: what the next peer would meet too."""


def name_error(side: str, number: int) -> str:
    """Name an errno met at the client's or the backend's socket, such as ``backend_reset``."""
    if number in _OWN_ERRORS:
        return _OWN_ERRORS[number]
    if number in _PEER_ERRORS:
        return f"{side}_{_PEER_ERRORS[number]}"
    return f"{side}_{errno.errorcode.get(number, str(number)).lower()}"


def name_socket_error(number: int) -> str:
    """Name an errno met before connect(2), while a socket to a backend was made and bound."""
    if number == errno.EADDRNOTAVAIL:  # no port is chosen yet: it is the address (see bind_source)
        return SOURCE_UNAVAILABLE
    return name_error("backend", number)


def outweigh(before: str, now: str) -> str:
    """Return which of two failures tells how a peer with several addresses is.

    The later one; but where this machine could not even try one of the addresses, the others
    don't tell that the peer cannot be reached.
    """
    return before if before in OWN else now
