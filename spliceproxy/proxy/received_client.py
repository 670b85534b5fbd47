"""A client on a route that decides about its clients, and the place that it takes there."""

from typing import Protocol

from spliceproxy.kernel.sockets import Socket
from spliceproxy.policy.admission import Admission
from spliceproxy.proxy.client import Client
from spliceproxy.proxy.refusals import Refusal
from spliceproxy.tls.server_contexts import ServerTls


class Destination(Protocol):
    """A route's frontend, which makes sessions of clients, whichever route has accepted them."""

    def start_session(
        self, client: Client, sock: Socket, received: "ReceivedClient | None"
    ) -> None:
        """Take the connection; `ReceivedClient.end` is to be called when it is over."""


class PlaceOwner(Protocol):
    """The frontend that has accepted the client, of whose `max_connections` it takes one."""

    def leave_place(self) -> None:
        """Give the place of one client to another."""


class ReceivedClient:
    """Holds a client's place and its admission from accept until its connection is over.

    Until there is a session it holds the socket, too.
    """

    __slots__ = ("_address", "_admission", "_place_owner", "client", "destination", "sock", "tls")

    def __init__(
        self,
        place_owner: PlaceOwner,
        admission: Admission,
        client: Client,
        sock: Socket,
        destination: Destination | None,
        tls: ServerTls | None,
    ) -> None:
        self._place_owner = place_owner
        self._admission = admission
        self._address: str | None = None
        self.client = client
        self.sock = sock
        self.destination = destination
        """Where the connection goes, as far as that is known; None: nowhere."""
        self.tls = tls
        """What its listener speaks TLS with, where its connections end in this proxy."""

    def be_admitted(self, host: str | None, now_s: float) -> None:
        """Ask for admission with the client's IP address; None: nobody says where it is.

        Raises:
            Refusal: it is not let in.
        """
        why = self._admission.refuses(host, now_s)
        if why is not None:
            raise Refusal(why)
        self._address = host

    def end(self) -> None:
        """Give up place and admission: the connection is over, or does not come about."""
        if self._address is not None:
            self._admission.left(self._address)
        self._place_owner.leave_place()
