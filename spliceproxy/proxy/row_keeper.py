"""What a worker does for the rows of the shared table that it uses, every ten seconds."""

from collections.abc import Sequence

import trio

from spliceproxy.ipc.row_lifetime import TOUCH_INTERVAL_S
from spliceproxy.observe.tally import Tally
from spliceproxy.proxy.frontend import Frontend


class RowKeeper:
    """Lets go of the rows of backends that are gone, and keeps those of the others."""

    def __init__(self, tally: Tally, frontends: Sequence[Frontend]) -> None:
        self._tally = tally
        self._frontends = frontends

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await trio.sleep(TOUCH_INTERVAL_S)
            self.look()

    def look(self) -> None:
        """Say which rows are in use; take those that there was no room for before."""
        for frontend in self._frontends:
            membership = frontend.route.backends.membership
            membership.share_health()
            if not frontend.is_closed:
                membership.show()
            names = {backend.state.name for backend in membership.backends}
            frontend.counters.route.forget_all_but(names)
        self._tally.table.touch(self._tally.slot)
