"""Small copies wait in a branch's queue for more of them, for a moment."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spliceproxy.sinks.branch import Branch


class Gathered:
    """The deadline of that wait."""

    __slots__ = ("_branch",)

    def __init__(self, branch: "Branch") -> None:
        self._branch = branch

    def on_deadline(self) -> None:
        """Flush what has come until now."""
        self._branch.flush_gathered()

    def on_crash(self, error: Exception) -> None:
        """Give the branch up."""
        self._branch.on_crash(error)
