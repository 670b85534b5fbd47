"""A client between its accept and its session, and the place that it takes all along."""

from typing import Protocol

from spliceproxy.kernel.sockets import Socket
from spliceproxy.policy.admission import Admission
from spliceproxy.proxy.client import Client
from spliceproxy.proxy.refusals import Refusal


class Destination(Protocol):
    """A route that connections can be handed to."""

    def start_session(
        self, client: Client, sock: Socket, received: "ReceivedClient | None"
    ) -> None:
        """Take the connection; `ReceivedClient.end` is to be called when it is over."""


class Host(Protocol):
    """Who has accepted the client."""

    def leave_place(self) -> None:
        """A client has left."""


class ReceivedClient:
    """What the accepting route knows and keeps of a client until its connection is over."""

    __slots__ = ("_address", "_admission", "_host", "client", "destination", "sock")

    def __init__(
        self,
        host: Host,
        admission: Admission,
        client: Client,
        sock: Socket,
        destination: Destination | None,
    ) -> None:
        self._host = host
        self._admission = admission
        self._address: str | None = None
        self.client = client
        self.sock = sock
        self.destination = destination
        """Where the connection goes, as far as that is known; None: nowhere."""

    def be_admitted(self, now_s: float) -> None:
        """Ask for admission with the client's address. One without an address needs none.

        Raises:
            Refusal: it is not let in.
        """
        address = self.client.address
        if isinstance(address, tuple):
            why = self._admission.refuses(address[0], now_s)
            if why is not None:
                raise Refusal(why)
            self._address = address[0]

    def end(self) -> None:
        """Give the place to somebody else."""
        if self._address is not None:
            self._admission.left(self._address)
        self._host.leave_place()
