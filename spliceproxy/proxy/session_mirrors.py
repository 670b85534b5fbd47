"""What one connection is copied to: the mirrors of its route, and those that were attached."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spliceproxy.formats.timestamps import timestamp_at
from spliceproxy.policy.client_networks import ClientNetworks
from spliceproxy.sinks.attached_connection import AttachedConnection
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.connection_facts import ConnectionFacts
from spliceproxy.sinks.mirrors import Mirror, Mirrors
from spliceproxy.sinks.tapped_connection import TappedConnection
from spliceproxy.tap.succession import tap_flow
from spliceproxy.tap.tapped_flow import hold, release, tap_of

if TYPE_CHECKING:
    from spliceproxy.proxy.attachments import AttachedMirror
    from spliceproxy.proxy.session import Session

Report = list[dict[str, object]]

_networks = ClientNetworks()


class SessionMirrors:
    """Copies may begin late and end early; the last account is closed after the connection."""

    __slots__ = ("_configured", "_connection_is_over", "_open", "_session", "_settled")

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._configured: TappedConnection | None = None
        self._open: dict[TappedConnection, AttachedMirror | None] = {}
        self._settled: Report = []
        self._connection_is_over = False

    @property
    def branches(self) -> Sequence[tuple[Mirror, Branch]]:
        """The streams to mirrors of the route."""
        return () if self._configured is None else self._configured.branches

    def copy(self, shared: Mirrors, chosen: list[Mirror]) -> TappedConnection:
        """Make the streams to mirrors of the route, for a link that is to be made."""
        listener, client = self._whose()
        tapped = self._configured = TappedConnection(shared, self, chosen, listener, client)
        self._open[tapped] = None
        return tapped

    def start(self, tapped: TappedConnection) -> None:
        """Send streams on their way, and hold what must not pass before they are open."""
        tapped.start()
        link = self._session.link
        if link is not None:  # a mirror may have failed, and ended it
            hold(link.request)
            hold(link.response)

    def attach(self, attached: "AttachedMirror") -> bool:
        """Copy to another mirror from now on.

        False: the directions that it wants have ended, or it has no room for their copies.
        """
        link = self._session.link
        if link is None:
            return False
        flows = {"request": link.request, "response": link.response}
        wanted = attached.mirror.settings.direction
        offsets = {
            direction: flow.taken_bytes
            for direction, flow in flows.items()
            if wanted in (direction, "both") and not flow.done
        }
        if not offsets or not attached.find_room(len(offsets)):
            return False
        shared = attached.shared
        listener, client = self._whose()
        tapped = AttachedConnection(
            shared, self, attached.mirror, listener, client, offsets, self._describe
        )
        self._open[tapped] = attached
        for _, branch in tapped.branches:
            tap_flow(flows[branch.direction], shared.pipes, attached.pipes).add(branch)
        attached.opened(tapped)
        self.start(tapped)
        return True

    def _whose(self) -> tuple[str, bytes]:
        """Return the listener, and what the client is known by."""
        client = self._session.client
        return client.listener_name, _networks.key(client.ip)

    def facts(self) -> ConnectionFacts:
        """Tell who talks to whom."""
        session = self._session
        return ConnectionFacts(
            session.record.route,
            session.record.client,
            session.record.backend,
            session.number,
            timestamp_at(time.time() - session.client.age_s()),
            session.record.listener,
            session.record.peer,
            session.record.backend_name,
            session.record.server_name,
            session.record.tls,
            session.record.tlvs,
        )

    def _describe(self) -> dict[str, object]:
        session = self._session
        link = session.link
        if link is None:
            return session.record.line()
        return session.record.line_so_far(session.client.age_s(), link.request, link.response)

    def stop(self, mirror: Mirror, why: str) -> int:
        """Copy to a mirror of the route no more; how many streams ended by that."""
        stopped = [] if self._configured is None else self._configured.stop(mirror, why)
        self._leave_taps(stopped)
        return len(stopped)

    def report(self) -> Report:
        """Tell what became of the copies."""
        return self._settled + [line for tapped in self._open for line in tapped.report()]

    def cut(self) -> None:
        """Drop what is still on its way."""
        for tapped in list(self._open):
            tapped.cut()

    def end(self, record: dict[str, object]) -> None:
        """The connection is over: end what has not ended with its streams."""
        self._connection_is_over = True
        if not self._open:
            self._session.mirrors_settled()
        for tapped in list(self._open):
            tapped.end(record)

    def mirror_has_room(self) -> None:
        """Read on what a mirror has held back."""
        link = self._session.link
        if link is not None:
            release(link.request)
            release(link.response)

    def mirror_failed(self, mirror: Mirror, why: str) -> None:
        """Let no traffic pass without its record."""
        self._session.mirror_failed(mirror.settings.text, why)

    def mirrors_ended(self, tapped: TappedConnection) -> None:
        """Keep the account of copies that are over."""
        attached = self._open.pop(tapped)
        self._settled += tapped.report()
        self._leave_taps([branch for _, branch in tapped.branches])
        if attached is not None:
            attached.closed(tapped)
        if self._connection_is_over and not self._open:
            self._session.mirrors_settled()

    def _leave_taps(self, branches: Sequence[Branch]) -> None:
        link = self._session.link
        if link is None:
            return
        for tap in (tap_of(link.request), tap_of(link.response)):
            for branch in branches:
                if tap is not None:
                    tap.remove(branch)
