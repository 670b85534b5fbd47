"""A worker's answers to the admin process: about its connections, and orders that concern them."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import structlog
import trio

from spliceproxy import reasons
from spliceproxy.ipc.attachment import Attachment
from spliceproxy.ipc.packets import (
    MAX_PACKET_BYTES,
    Message,
    Question,
    decode,
    encode_answer,
    encode_failure,
)
from spliceproxy.kernel.addresses import split_port
from spliceproxy.kernel.real_path import real_path
from spliceproxy.policy.selection import Selection
from spliceproxy.proxy.attachments import AttachRefusedError, WorkerAttachments
from spliceproxy.proxy.frontend import Frontend
from spliceproxy.proxy.session import Session
from spliceproxy.settings.attach_grants import (
    AttachGrant,
    why_directory_is_taken,
    why_not_granted,
    written_directory,
)

_PIECE = 50
"""Connections looked at in one go: half a millisecond in which no byte moves."""


class AdminAnswers:
    """Answers one request after the other; numbers connections by the worker's slot."""

    def __init__(
        self,
        sock: socket.socket,
        slot: int,
        frontends: Sequence[Frontend],
        attachments: WorkerAttachments,
        flush: Callable[[], None],
        grants: Iterable[AttachGrant],
    ) -> None:
        """What is attached must be among the grants, whatever the admin process has let pass."""
        self._socket = sock
        self._slot = slot
        self._frontends = frontends
        self._attachments = attachments
        self._flush = flush
        # Resolved here, once, and then held against names alone: a look at a disk that hangs
        # would hold up all traffic.
        self._grants = tuple(grant.resolved() for grant in grants)
        configured = [one.settings for frontend in frontends for one in frontend.route.mirrors]
        directories = filter(None, map(written_directory, configured))
        self._taken = tuple(map(real_path, directories))
        self._on_mirrors: dict[str, Callable[[Message], Iterator[Any]]] = {
            Question.ATTACH: self._attach,
            Question.DETACH: lambda asked: iter([attachments.detach(asked["attachment"])]),
            Question.ATTACHED: lambda _: attachments.told(),
            Question.STOP_MIRROR: lambda asked: iter(
                [attachments.stop_mirror(asked["route"], asked["mirror"])]
            ),
        }

    async def run(self) -> None:
        """Answer until cancelled, or until nobody can ask any more."""
        line = trio.socket.from_stdlib_socket(self._socket)
        # ECONNRESET, EPIPE: master and admin process died with an answer unread (unix(7)). The
        # connections are to be drained all the same.
        with contextlib.closing(line), contextlib.suppress(ConnectionError):
            while packet := await line.recv(MAX_PACKET_BYTES):
                for answer in self._answers(decode(packet)):
                    await line.send(answer)

    def _answers(self, request: Message) -> Iterator[bytes]:
        number = request["number"]
        try:
            found = self._find(request)
            more = True
            while more:
                piece = list(islice(found, _PIECE))
                more = len(piece) == _PIECE
                told = [one for one in piece if one is not None]
                yield from encode_answer(number, told, more=more)
        except Exception as error:  # a question is no reason to end a worker
            structlog.get_logger().error("internal_error", worker=self._slot, exc_info=error)
            yield encode_failure(number, error)

    def _find(self, request: Message) -> Iterator[Any]:
        if request["what"] in self._on_mirrors:
            return self._on_mirrors[request["what"]](request)
        selection = Selection.parse(request["selection"])
        if request["what"] == Question.CLOSE:
            return iter([self._close(self._select(selection))])
        return self._describe_some(selection, request["limit"])

    def _describe_some(
        self, selection: Selection, limit: int
    ) -> Iterator[Mapping[str, Any] | None]:
        """Describe connections; None for each that is not meant, as looking is in pieces too."""
        for frontend in self._frontends:
            for session in list(frontend.sessions):
                if limit == 0:
                    return
                is_meant = self._is_meant(session, selection)
                limit -= is_meant
                yield self._describe(session) if is_meant else None

    def _select(self, selection: Selection) -> Iterator[Session]:
        for frontend in self._frontends:
            # A copy: while pieces are sent, others begin and end.
            for session in list(frontend.sessions):
                if self._is_meant(session, selection):
                    yield session

    def _is_meant(self, session: Session, selection: Selection) -> bool:
        return (
            selection.route in (None, session.record.route)
            and selection.backend in (None, session.backend_name)
            and selection.number in (None, session.number)
            and selection.has_client(split_port(session.client.name)[0])
        )

    def _attach(self, request: Message) -> Iterator[Any]:
        """Attach a mirror: nothing if it concerns no client here, else whether it was done."""
        attachment = Attachment.from_message(request["attachment"])
        mirror = attachment.mirror
        why_not = why_not_granted(mirror, self._grants) or why_directory_is_taken(
            mirror, self._taken
        )
        if why_not is not None:
            return iter([{"refused": why_not}])
        session = None
        if attachment.connection is not None:
            session = next(self._select(Selection(number=attachment.connection)), None)
            if session is None:
                return iter([{"refused": f"there is no connection {attachment.connection}"}])
        try:
            concerned = self._attachments.attach(attachment, session)
        except AttachRefusedError as error:
            return iter([{"refused": str(error)}])
        return iter([{"refused": ""}] if concerned else [])

    def _close(self, sessions: Iterable[Session]) -> int:
        meant = list(sessions)
        for session in meant:
            session.close(reasons.CLOSED_BY_OPERATOR)
        self._flush()
        structlog.get_logger().info("connections_closed", count=len(meant), worker=self._slot)
        return len(meant)

    def _describe(self, session: Session) -> Mapping[str, Any]:
        traffic = session.traffic()
        return {
            "number": session.number,
            "route": session.record.route,
            "listener": session.client.listener_name,
            "client": session.client.name,
            "backend": session.backend_name,
            "age_s": round(session.client.age_s(), 3),
            "idle_s": round(max(0.0, time.monotonic() - session.last_active_s), 3),
            "request_bytes": traffic.request_bytes if traffic else 0,
            "response_bytes": traffic.response_bytes if traffic else 0,
            "state": "connecting" if traffic is None else "open",
            "mirrors": [] if session.mirrors is None else session.mirrors.report(),
        }
