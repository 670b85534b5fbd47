"""What somebody may do at the admin interface."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from spliceproxy.admin.peer import Peer
from spliceproxy.settings.tls import ClientRules
from spliceproxy.tls.client_rules import refuse_client


class Role(IntEnum):
    """Each may do what those before it may."""

    NOBODY = 0
    """May ask after health, and have the page without figures."""
    VIEWER = 1
    """May look at everything."""
    OPERATOR = 2
    """May give orders."""


@dataclass(frozen=True, slots=True)
class CertificateRoles:
    """What clients by TLS may do, whose certificates the handshake has verified."""

    viewers: ClientRules | None
    """Who may look; None: whoever has a certificate."""
    operators: ClientRules | None
    """Who may give orders; None: nobody."""
    are_asked: bool
    """Whether clients are asked for certificates."""

    def role_of(self, peer: Peer) -> Role:
        """Return what somebody may do by the certificate that was shown."""
        if peer.certificate is None:
            return Role.NOBODY
        if self.operators is not None and _fits(self.operators, peer.certificate):
            return Role.OPERATOR
        if self.viewers is None or _fits(self.viewers, peer.certificate):
            return Role.VIEWER
        return Role.NOBODY


def _fits(rules: ClientRules, certificate: tuple[Mapping[str, Any], bytes]) -> bool:
    return refuse_client(rules, *certificate) is None


@dataclass(frozen=True, slots=True)
class Operators:
    """Whose processes may give orders at a unix socket; its mode says who may look."""

    uids: frozenset[int] = frozenset()
    gids: frozenset[int] = frozenset()
    own_uid: int = field(default_factory=os.geteuid)

    def role_of(self, peer: Peer) -> Role:
        """Return what the process that has connected may do."""
        # Root, and whoever runs the proxy, could do to it what they like in any case.
        named = peer.uid in (0, self.own_uid) or peer.uid in self.uids
        return Role.OPERATOR if named or peer.gids & self.gids else Role.VIEWER
