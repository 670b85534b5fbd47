"""Who may do what: a browser that was sent here by another site may do nothing."""

import hmac
import ipaddress
import re
from dataclasses import dataclass

from spliceproxy.admin.messages import RefusedError, Request
from spliceproxy.admin.peer import Peer
from spliceproxy.admin.roles import CertificateRoles, Operators, Role

HEALTH_PATHS = frozenset({"/livez", "/readyz"})
OPEN_PATHS = HEALTH_PATHS | {"/"}
"""Needs no token: a page without figures, and a yes or no."""

READING = frozenset({"GET", "HEAD"})

_HOST = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:@]*))(?::[0-9]{1,5})?")


class WrongTokenError(RefusedError):
    """A token that is none."""

    def __init__(self) -> None:
        super().__init__(401, "the token is wrong")


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules of one address that the admin interface listens on."""

    token: str | None = None
    """Makes an operator of whoever brings it along."""
    viewer_token: str | None = None
    """Makes a viewer."""
    operators: Operators | None = None
    """Of a unix socket, whose clients the kernel knows; None: others are known by tokens alone."""
    certificates: CertificateRoles | None = None
    """Of an address with TLS."""

    def check(self, request: Request, peer: Peer) -> None:
        """Let a request pass.

        Raises:
            WrongTokenError: it has a token, but none that is known.
            RefusedError: it does not pass for another reason.
        """
        by_token = self._role_by_token(request)
        if not by_token and not self._is_asked_by_its_name(request.headers.get("host", "")):
            # A foreign name that resolves to this address, or to the end of somebody's tunnel to
            # it: DNS rebinding. A page that has been led here so does not know the token.
            raise RefusedError(403, "the Host header names another site")
        _check_same_site(request)
        if request.method in READING and request.path in OPEN_PATHS:
            return
        role = self._role_without_token(peer)
        if by_token is Role.NOBODY and role is not Role.OPERATOR:
            raise WrongTokenError
        role = max(role, by_token or Role.NOBODY)
        if role is Role.NOBODY:
            raise RefusedError(401, self._why_nobody())
        if role is Role.VIEWER and request.method not in READING:
            raise RefusedError(403, self._why_no_orders(peer))

    def _role_by_token(self, request: Request) -> Role | None:
        """Return what a token makes of its bearer; NOBODY: it is wrong; None: there is none."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if not scheme or (self.token is None and self.viewer_token is None):
            return None
        if scheme.lower() == "bearer":
            for token, role in ((self.token, Role.OPERATOR), (self.viewer_token, Role.VIEWER)):
                if token and hmac.compare_digest(given.strip().encode(), token.encode()):
                    return role
        return Role.NOBODY

    def _is_asked_by_its_name(self, host: str) -> bool:
        # By TLS a browser has compared the name with the certificate.
        return self.certificates is not None or _names_this_machine(host)

    def _role_without_token(self, peer: Peer) -> Role:
        if self.operators is not None:
            return self.operators.role_of(peer)
        if self.certificates is not None and self.certificates.are_asked:
            return self.certificates.role_of(peer)
        has_token = self.token is not None or self.viewer_token is not None
        return Role.NOBODY if has_token else Role.VIEWER

    def _why_nobody(self) -> str:
        if self.certificates is not None and self.certificates.are_asked:
            return (
                "a certificate that `clients` lets in is missing, or a token: "
                "Authorization: Bearer TOKEN"
            )
        return "the token is missing: Authorization: Bearer TOKEN"

    def _why_no_orders(self, peer: Peer) -> str:
        if self.operators is not None:
            return (
                f"uid {peer.uid} may look, but give no orders: name it in `operators` of `admin` "
                "in the configuration, or bring along the operator's token"
            )
        if peer.certificate is not None:
            return (
                "this certificate lets you look, but give no orders: name it in "
                "`certificate_operators` of `admin` in the configuration, or bring along the "
                "operator's token"
            )
        if self.token is None:
            return (
                "nobody may give orders by this address: set `token` of `admin` in the "
                "configuration, or use an address unix:PATH"
            )
        return "the viewer's token gives no orders: the operator's does"


def _names_this_machine(host: str) -> bool:
    """Whether a Host header is one that no other site's name resolves to."""
    parts = _HOST.fullmatch(host)
    if parts is None:
        return False
    name = parts["ipv6"] or parts["name"]
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_same_site(request: Request) -> None:
    """Refuse what a page of another site may have made a browser send.

    Browsers send Sec-Fetch-Site and, with a POST, Origin; and a form of another site cannot have
    this content type (https://fetch.spec.whatwg.org/#cors-safelisted-request-header).
    """
    if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise RefusedError(403, "a request of another site")
    if request.method in READING:
        return
    if request.method != "POST":
        raise RefusedError(405, "expected GET or POST")
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        raise RefusedError(403, "a request of another site")
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json":
        raise RefusedError(415, "expected Content-Type: application/json")
