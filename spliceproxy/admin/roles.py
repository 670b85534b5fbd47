"""What somebody may do at the admin interface."""

import os
from dataclasses import dataclass, field
from enum import IntEnum

from spliceproxy.admin.peer import Peer


class Role(IntEnum):
    """Each may do what those before it may."""

    NOBODY = 0
    """May ask after health, and have the page without figures."""
    VIEWER = 1
    """May look at everything."""
    OPERATOR = 2
    """May give orders."""


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
