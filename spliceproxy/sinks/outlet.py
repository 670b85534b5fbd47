"""What each kind of mirror has to do: the one interface between a branch and a sink."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from spliceproxy.sinks.branch import Branch


class Outlet(Protocol):
    """Takes chunks from a branch's queue and gets them to their place.

    It calls `Branch.delivered` for what has arrived, `Branch.fail` when it can't go on, and
    `Branch.closed` once when all is over.
    """

    def flush(self) -> None:
        """Chunks are waiting: move what can be moved now."""

    def finish(self, *, clean: bool) -> None:
        """Nothing more will be queued: end when the queue is empty, and tell clean ends apart."""

    def cut(self) -> None:
        """End at once; a job under way in a thread is waited for, so `closed` may come later."""


class OutletMaker(Protocol):
    """Makes the outlet of a branch, for one connection and direction."""

    def __call__(self, branch: "Branch", direction: str) -> Outlet:
        """Make it; it may still be on its way to its place, and chunks queue meanwhile."""
