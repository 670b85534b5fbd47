"""What a session tells of itself to the frontend that it came in by."""

from typing import TYPE_CHECKING, Protocol

from spliceproxy.observe.connection import ConnectionRecord

if TYPE_CHECKING:
    from spliceproxy.proxy.session import Session


class SessionOwner(Protocol):
    """Who counts the sessions."""

    def connect_failed(self, backend: str, why: str) -> None:
        """A backend did not answer."""

    def session_connected(self, session: "Session", connect_s: float) -> None:
        """A backend has answered."""

    def session_mirrored(self, session: "Session") -> None:
        """Copies of the traffic go to mirrors."""

    def session_ended(self, session: "Session", record: ConnectionRecord) -> None:
        """The sockets are closed. Copies may still be on their way to mirrors."""

    def session_over(self, session: "Session") -> None:
        """Forget the session: nothing of it is left."""

    def connection_ended(self, record: ConnectionRecord) -> None:
        """Tell the log, if it wants to hear; the mirrors' accounts are closed."""
