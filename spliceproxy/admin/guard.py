"""Who may do what: a browser that was sent here by another site may do nothing."""

import hmac
import ipaddress
from dataclasses import dataclass

from spliceproxy.admin.messages import RefusedError, Request

OPEN_PATHS = frozenset({"/", "/livez", "/readyz"})
"""Needs no token: a page without figures, and a yes or no."""

READING = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules of one address that the admin interface listens on."""

    token: str | None
    """What must come with each request; None: whoever can connect is trusted."""
    host: str | None
    """The host that it listens on; None for a unix socket."""

    def check(self, request: Request) -> None:
        """Let a request pass.

        Raises:
            RefusedError: it does not.
        """
        if self.host is not None and not self._is_own_host(request.headers.get("host", "")):
            # A foreign name that resolves to this address: DNS rebinding.
            raise RefusedError(403, "the Host header names another site")
        if self.token is not None and request.path not in OPEN_PATHS:
            self._check_token(request)
        if request.method not in READING:
            _check_same_site(request)

    def _check_token(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), (self.token or "").encode())
        if scheme.lower() != "bearer" or not right:
            raise RefusedError(401, "the token is missing or wrong: Authorization: Bearer TOKEN")

    def _is_own_host(self, host: str) -> bool:
        name = _without_port(host)
        if name in ("localhost", self.host):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return self.token is not None  # whoever knows the token is no stray browser
        return True


def _check_same_site(request: Request) -> None:
    """Refuse what a page of another site may have made a browser send.

    Browsers send Sec-Fetch-Site and, with a POST, Origin; and a form of another site cannot have
    this content type (https://fetch.spec.whatwg.org/#cors-safelisted-request-header).
    """
    if request.method != "POST":
        raise RefusedError(405, "expected GET or POST")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise RefusedError(403, "a request of another site")
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        raise RefusedError(403, "a request of another site")
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json":
        raise RefusedError(415, "expected Content-Type: application/json")


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
