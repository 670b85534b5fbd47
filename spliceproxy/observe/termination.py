"""Why connections end: each reason in a sentence, and in the two letters that HAProxy has for it.

The letters are those of HAProxy's configuration manual, chapter 8.5, "Session state at
disconnection": the first tells who or what ended the session, the second in which phase it was.
"""

from enum import StrEnum
from typing import Literal, NamedTuple

from spliceproxy import reasons
from spliceproxy.policy import admission

ClosedBy = Literal["client", "backend", "proxy"]


class Phase(StrEnum):
    """How far a connection got; the values are HAProxy's second letters."""

    ADMISSION = "R"
    """Its first bytes are read, before anything is decided."""
    QUEUE = "Q"
    """It waits for room at a backend."""
    CONNECT = "C"
    """A backend is being connected."""
    DATA = "D"
    """Bytes may pass both ways."""


class Cause(NamedTuple):
    """A reason's row."""

    letter: str
    """HAProxy's first letter; ``-`` for an orderly end, which has no phase either."""
    closed_by: ClosedBy | None
    """Who ended the connection first; None: whoever sent its end of stream first."""
    meaning: str
    peers_see: str


_RESET = "a reset"
_INCOMPLETE = "a reset: the streams are not complete"


def _client(meaning: str, peers_see: str = _RESET) -> Cause:
    return Cause("C", "client", meaning, peers_see)


def _backend(meaning: str, peers_see: str = _RESET) -> Cause:
    return Cause("S", "backend", meaning, peers_see)


def _proxy(letter: str, meaning: str, peers_see: str = _RESET) -> Cause:
    return Cause(letter, "proxy", meaning, peers_see)


CAUSES = {
    reasons.CLOSED: Cause(
        "-",
        None,
        "both directions ended in an orderly way, all bytes delivered",
        "an end of stream",
    ),
    "client_reset": _client(
        "the client reset, or closed with data unread",
        "the backend gets what was sent before, then a reset",
    ),
    "client_timed_out": _client(
        "the client acknowledged nothing (keepalive, `--tcp-user-timeout`)"
    ),
    "client_unreachable": _client("no route to the client"),
    "client_refused": _client("the client's system refuses its own connection"),
    "client_absent": _client("the client's socket is gone"),
    "client_forbidden": _client("a firewall forbids sending to the client"),
    reasons.CLIENT_LEFT: _client("the client reset before a backend was connected", ""),
    "backend_reset": _backend(
        "the backend reset, or closed with data unread",
        "the client gets what was sent before, then a reset",
    ),
    "backend_timed_out": _backend(
        "the backend acknowledged nothing (keepalive, `--tcp-user-timeout`)"
    ),
    "backend_unreachable": _backend("no route to the backend"),
    "backend_refused": _backend("nobody listens at the backend's address"),
    "backend_absent": _backend("the backend's unix socket does not exist"),
    "backend_forbidden": _backend("a firewall, or the rights of a unix socket, forbid it"),
    reasons.NO_BACKEND_ADDRESS: _backend("no backend has an address that could be tried"),
    reasons.UNTRUSTED: _proxy("P", "not one of the proxies whose PROXY headers are believed"),
    reasons.BAD_PROXY_HEADER: _proxy("P", "what came first was no PROXY protocol header"),
    reasons.TOO_MANY_HOPS: _proxy(
        "P", "its PROXY header tells of 16 proxies before: it goes round in a ring"
    ),
    reasons.PROXY_HEADER_TIMEOUT: _proxy("c", "the PROXY protocol header took too long"),
    admission.DENIED: _proxy("P", "`allow` and `deny` do not let the client's network in"),
    admission.NO_CLIENT_ADDRESS: _proxy(
        "P", "`allow`, `deny` or `per_client` ask for its address, and it has, or is given, none"
    ),
    admission.CLIENT_LIMIT: _proxy("P", "the client's address has all the connections it may have"),
    admission.RATE_LIMITED: _proxy("P", "the client's address connects too often"),
    reasons.BAD_CLIENT_HELLO: _proxy("P", "what came first was no TLS hello that can be read"),
    reasons.CLIENT_HELLO_TIMEOUT: _proxy("c", "the TLS hello took too long"),
    reasons.CLIENT_CERTIFICATE_REFUSED: _proxy(
        "P", "the client's certificate is valid, but none of those that `clients` lets in"
    ),
    reasons.NO_STARTTLS: _proxy(
        "P",
        "the client did not ask for TLS, which its protocol is to do here",
        "an error, then an end of stream",
    ),
    reasons.STARTTLS_TIMEOUT: _proxy("c", "the client took too long to ask for TLS"),
    reasons.BAD_STARTTLS: _proxy("P", "before TLS the client said what is not of the protocol"),
    reasons.PLAINTEXT_BEFORE_TLS: _proxy(
        "P", "bytes without TLS came behind the client's request for it"
    ),
    reasons.BACKEND_WITHOUT_TLS: _backend("the backend was asked for TLS, and has none"),
    reasons.BACKEND_BAD_STARTTLS: _backend(
        "before TLS, or as a greeting, the backend said what is not of the protocol"
    ),
    reasons.BACKEND_PLAINTEXT_BEFORE_TLS: _backend(
        "bytes without TLS came behind the backend's consent to it"
    ),
    reasons.BACKEND_UNREADY: _backend("the mail server's greeting says that it serves nobody now"),
    reasons.CLIENT_NOT_TLS: _proxy("P", "the listener speaks TLS, and the client began otherwise"),
    reasons.CLIENT_TLS_TIMEOUT: _proxy("c", "the TLS handshake took too long"),
    reasons.CLIENT_TLS_FAILED: _proxy("P", "something was wrong with the client's TLS handshake"),
    reasons.CLIENT_TLS_MISMATCH: _proxy(
        "P", "the client's TLS has no version, cipher suite or protocol that the listener has"
    ),
    reasons.CLIENT_TLS_ALERT: _client("the client ended the TLS handshake with an alert"),
    reasons.CLIENT_NO_CERTIFICATE: _proxy("P", "the client has shown no certificate, and has to"),
    reasons.CLIENT_BAD_CERTIFICATE: _proxy("P", "the client's certificate is not valid here"),
    reasons.CLIENT_TLS_CROWDED_OUT: _proxy(
        "R", "too many TLS handshakes were under way, and this one was the oldest"
    ),
    "client_tls_truncated": _client(
        "the client closed without saying goodbye as TLS has it (close_notify)",
        "the backend gets what was sent before, then a reset",
    ),
    "client_tls_broken": _client(
        "what the client sent was changed on its way, or is no TLS",
        "the backend gets what was sent before, then a reset",
    ),
    reasons.BACKEND_NOT_TLS: _backend("the backend answers otherwise than by TLS"),
    reasons.BACKEND_TLS_TIMEOUT: _proxy("s", "the TLS handshake with the backend took too long"),
    reasons.BACKEND_TLS_FAILED: _backend("something is wrong with the backend's TLS handshake"),
    reasons.BACKEND_TLS_MISMATCH: _backend(
        "the backend's TLS has no version, cipher suite or protocol that is asked for"
    ),
    reasons.BACKEND_TLS_ALERT: _backend("the backend ended the TLS handshake with an alert"),
    reasons.BACKEND_BAD_CERTIFICATE: _backend(
        "the backend's certificate is not valid, or is another name's"
    ),
    "backend_tls_truncated": _backend(
        "the backend closed without saying goodbye as TLS has it (close_notify)",
        "the client gets what was sent before, then a reset",
    ),
    "backend_tls_broken": _backend(
        "what the backend sent was changed on its way, or is no TLS",
        "the client gets what was sent before, then a reset",
    ),
    reasons.NO_ROUTE: _proxy("P", "neither the server's name nor the protocol leads anywhere"),
    reasons.BACKENDS_DOWN: _backend("no backend of the route gets connections now"),
    reasons.HEADER_CUT_SHORT: _backend("a new connection did not take a whole PROXY header"),
    reasons.BACKEND_DOWN: _proxy(
        "D", "checks found the backend down, and the route says `on_down: close`", _INCOMPLETE
    ),
    reasons.CONNECT_TIMEOUT: _proxy("s", "no backend answered within the connect timeout"),
    reasons.QUEUE_TIMEOUT: _proxy("s", "every backend that could be reached was full for too long"),
    reasons.QUEUE_FULL: _proxy("P", "every backend was full, and the queue as well"),
    reasons.IDLE_TIMEOUT: _proxy("c", "silence in both directions", _INCOMPLETE),
    reasons.HALF_CLOSED_TIMEOUT: _proxy(
        "c", "one direction had ended, and the other was silent for too long", _INCOMPLETE
    ),
    reasons.LIFETIME_TIMEOUT: _proxy("P", "the connection was older than it may be", _INCOMPLETE),
    reasons.DRAIN_DEADLINE: _proxy(
        "K",
        "the time to drain was over, after a stop or a reload",
        _INCOMPLETE,
    ),
    reasons.STOPPED: _proxy("K", "the proxy was told to stop at once", _INCOMPLETE),
    reasons.CLOSED_BY_OPERATOR: _proxy("K", "`spliceproxy ctl` was told to end it", _INCOMPLETE),
    reasons.MIRROR_FAILED: _proxy(
        "P", "a mirror with `overflow=block` failed; see [mirroring](mirroring.md)", _INCOMPLETE
    ),
    reasons.MIRROR_FAILING: _proxy(
        "P", "a mirror with `overflow=block` is known to fail, so no backend was asked"
    ),
    reasons.SOURCE_UNAVAILABLE: _proxy("R", "the address to connect from is not this machine's"),
    reasons.LOOP: _proxy(
        "P", "the backend is a listener of this proxy that leads back to the same route"
    ),
    "no_local_port": _proxy("R", "all local ports to that backend are in use"),
    "no_descriptors": _proxy("R", "this process or machine has no file descriptor left"),
    "no_memory": _proxy("R", "this machine has no memory left for sockets"),
    reasons.INTERNAL_ERROR: _proxy("I", "a fault of spliceproxy; the traceback is in the log"),
}
"""All reasons that have a name of their own."""

_OTHER = {
    "client": _client("another error of the client's socket, by its errno"),
    "backend": _backend("another error of the backend's socket, by its errno"),
}
OTHER_ERRORS = {f"{side}_…": cause for side, cause in _OTHER.items()}
"""For errors that nobody expects: ``client_eproto``."""


def cause_of(why: str) -> Cause:
    """Return a reason's row; one that has none is a fault of this table."""
    cause = CAUSES.get(why)
    if cause is None:
        return _OTHER.get(why.partition("_")[0], CAUSES[reasons.INTERNAL_ERROR])
    return cause


def letters(why: str, phase: Phase) -> str:
    """Return HAProxy's two letters for an end in this phase."""
    letter = cause_of(why).letter
    return "--" if letter == "-" else letter + phase
