"""Mirrors that are attached to a worker's routes and connections while it runs.

`WorkerAttachments` has an `AttachedMirror` for each `Attachment` that the admin process tells of;
that one has an `AttachedConnection` (in `sinks`) for each connection that it copies.

======================================  ========================================================
what happens                            what it ends
======================================  ========================================================
a direction has had its ``max_bytes``   that direction's branch (`AttachedBranch`)
a connection ends, or its last branch   its copies (`AttachedMirror.closed`)
the only connection's copies are over   the attachment, ``streams_ended``
its time is over (`on_deadline`)        the attachment, ``time_over``
an operator detaches it (`detach`)      the attachment, ``stopped_by_operator``
======================================  ========================================================

An attachment that has ended (`AttachedMirror.end`) gets no more bytes, and what is queued is still
delivered. When its last copies are over it is forgotten; when its threads are done its mirror is
closed (`WorkerAttachments.on_deadline`). A worker that ends closes it like any other mirror.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import structlog

from spliceproxy.ipc.attachment import Attachment
from spliceproxy.kernel.addresses import split_port
from spliceproxy.kernel.pipes import NoPipeError, PipeLender, PipePool, fitting_pipes
from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer
from spliceproxy.policy.selection import Selection
from spliceproxy.proxy.attachment_limit import AttachmentLimit, NoRoomForStreamsError
from spliceproxy.proxy.frontend import Frontend
from spliceproxy.proxy.mirror_counters import MirrorCounters
from spliceproxy.proxy.session import Session
from spliceproxy.proxy.worker_mirrors import WorkerMirrors, mirror_names
from spliceproxy.sinks.mirrors import Mirror, Mirrors, choose
from spliceproxy.sinks.sink import MirrorPeer
from spliceproxy.sinks.stream_limit import StreamLimit
from spliceproxy.sinks.tapped_connection import TappedConnection

MOST_ATTACHED = 16
"""At once. Each costs a worker two threads and a descriptor, and each of its streams others."""

STREAMS_ENDED = "streams_ended"
STOPPED = "stopped_by_operator"
TIME_OVER = "time_over"

_EARLY = 0.9
"""A timer may be late by a thirty-second part of its delay, so a long one is set too early, and
again for the rest."""
_EXACT_S = 1.0
_LOOK_AGAIN_S = 1.0  # for a disk that still works on a spool which nobody waits for


class AttachRefusedError(Exception):
    """A mirror that this worker cannot attach; the text says why, in one line."""


class AttachedMirror:
    """One attachment in this worker: the mirror that was opened for it, and the copies to it."""

    def __init__(
        self,
        attachment: Attachment,
        shared: Mirrors,
        mirror: Mirror,
        pipes: PipeLender | None,
        counters: MirrorCounters,
        unused: Callable[["AttachedMirror"], None],
    ) -> None:
        self.attachment = attachment
        self.shared = shared
        self.mirror = mirror
        self.pipes = pipes
        self.counters = counters
        self.left_out = 0
        """Connections that are not copied, as there is no room for their streams."""
        self._unused = unused
        self._selection = Selection.parse(
            {} if attachment.client is None else {"client": attachment.client}
        )
        self._connections: set[TappedConnection] = set()
        self._reactor: Reactor = shared.reactor
        self._timer: Timer | None = None
        self.ended_why = ""
        """Empty as long as it has not ended."""
        self._set_timer()

    def wants(self, client: str, server_name: str | None) -> bool:
        """Whether a connection of that client, to that name, which begins now is copied."""
        if self.attachment.connection is not None or self.ended_why:
            return False
        host, _ = split_port(client)
        is_chosen = bool(choose([self.mirror], client, server_name))
        return is_chosen and self._selection.has_client(host)

    def find_room(self, streams: int) -> bool:
        """Whether a connection's streams can be opened; if not, it is counted as left out."""
        if streams * self.mirror.weight <= self.mirror.limit.left:
            return True
        self.left_out += 1
        self.counters.leave_out()
        return False

    def opened(self, tapped: TappedConnection) -> None:
        """Count the streams of a connection."""
        self._connections.add(tapped)
        for _, branch in tapped.branches:
            self.counters.opened(branch)

    def closed(self, tapped: TappedConnection) -> None:
        """Count streams that are over; the only connection's end is the attachment's."""
        self._connections.discard(tapped)
        for _, branch in tapped.branches:
            self.counters.ended(branch)
        if self.attachment.connection is not None:
            self.end("", STREAMS_ENDED)
        elif self.ended_why:
            self._leave_if_unused()

    def end(self, why_missing: str, why: str) -> None:
        """Copy no more; what is queued is still delivered.

        `why_missing` is empty where the streams have got all that they were to get.
        """
        if self.ended_why:
            self._leave_if_unused()
            return
        self.ended_why = why
        if self._timer is not None:
            self._timer.cancel()
        for tapped in list(self._connections):
            tapped.stop(self.mirror, why_missing)
        self._leave_if_unused()

    def _leave_if_unused(self) -> None:
        if not self._connections:
            self._unused(self)

    def _set_timer(self) -> None:
        left_s = self.attachment.left_s(time.monotonic())
        if left_s is not None:
            delay_s = left_s if left_s < _EXACT_S else left_s * _EARLY
            self._timer = self._reactor.timers.after(delay_s, self)

    def on_deadline(self) -> None:
        """End, or wait for the rest of the time."""
        left_s = self.attachment.left_s(time.monotonic())
        if left_s:
            self._set_timer()
        else:
            self.end("", TIME_OVER)

    def on_crash(self, error: Exception) -> None:
        """Give the streams up, after an exception that nobody foresaw in ending them."""
        for tapped in list(self._connections):
            for _, branch in tapped.branches:
                branch.on_crash(error)


class WorkerAttachments:
    """Attaches, ends and forgets what the admin process says; each worker has one of these."""

    def __init__(
        self,
        reactor: Reactor,
        mirrors: WorkerMirrors,
        pipes: PipePool,
        frontends: Sequence[Frontend],
        descriptors: int,
    ) -> None:
        """All attached streams together may have so many descriptors."""
        self._reactor = reactor
        self._mirrors = mirrors
        self._pipes = pipes
        self._frontends = frontends
        self._limit = AttachmentLimit(descriptors)
        self._attached: dict[int, AttachedMirror] = {}
        self._leaving: list[AttachedMirror] = []

    def attach(self, attachment: Attachment, session: Session | None) -> bool:
        """Attach a mirror to a route, or to the one connection; False: no client comes here.

        Raises:
            AttachRefusedError: it cannot be done, and nothing has changed.
        """
        frontend = self._find_frontend(attachment, session)
        if frontend is None:
            return False
        if attachment.number in self._attached:
            return True
        if len(self._attached) >= MOST_ATTACHED:
            raise AttachRefusedError(f"{MOST_ATTACHED} mirrors are attached: detach one of them")
        connections = frontend.route.max_connections if session is None else 1
        try:
            limit = self._limit.find_room(attachment.mirror, connections, one=session is not None)
        except NoRoomForStreamsError as error:
            raise AttachRefusedError(str(error)) from None
        attached = self._open(attachment, frontend, limit)
        if session is not None and not session.attach(attached):
            attached.end("", STREAMS_ENDED)
            raise AttachRefusedError("the connection has ended, or the direction that is wanted")
        if session is None:
            frontend.route.attached.append(attached)
        self._log(attached).info("mirror_attached", asker=attachment.asker)
        return True

    def _find_frontend(self, attachment: Attachment, session: Session | None) -> Frontend | None:
        for frontend in self._frontends:
            if session is not None and session in frontend.sessions:
                return frontend
            name = frontend.route.name
            if session is None and name == attachment.route and not frontend.is_closed:
                return frontend
        return None

    def _open(
        self, attachment: Attachment, frontend: Frontend, limit: StreamLimit
    ) -> AttachedMirror:
        settings = attachment.mirror
        try:
            shared = self._mirrors.acquire()
            targets = attachment.targets
            peer = MirrorPeer(partial(iter, targets)) if targets else None
            mirror = shared.attach(settings, peer, limit)
        except NoPipeError as error:
            self._limit.give_back(limit)
            raise AttachRefusedError(f"no pipe is to be had: {error}") from None
        except OSError as error:
            self._limit.give_back(limit)
            raise AttachRefusedError(f"nothing is left for a mirror: {error}") from None
        attached = self._attached[attachment.number] = AttachedMirror(
            attachment,
            shared,
            mirror,
            fitting_pipes(self._pipes, shared.pipe_bytes),
            frontend.counters.attach(mirror),
            partial(self._close_later, frontend),
        )
        return attached

    def detach(self, number: int) -> bool:
        """End an attachment, if this worker has it."""
        attached = self._attached.get(number)
        if attached is None:
            return False
        self._reactor.refresh_clock()
        attached.end(STOPPED, STOPPED)
        self._reactor.end_batch()
        return True

    def told(self) -> Iterator[dict[str, Any]]:
        """Return those that have not ended, for whoever has to know of them."""
        for attached in self._attached.values():
            if not attached.ended_why:
                yield attached.attachment.as_message()

    def stop_mirror(self, route: str, name: str) -> int:
        """End the open streams to a mirror that a route is configured with; how many."""
        self._reactor.refresh_clock()
        count = 0
        for frontend in self._frontends:
            mirrors = frontend.route.mirrors if frontend.route.name == route else ()
            names = mirror_names(mirror.settings for mirror in mirrors)
            for mirror in (one for one, its in zip(mirrors, names, strict=True) if its == name):
                copied = [each.mirrors for each in frontend.sessions if each.mirrors is not None]
                count += sum(mirrors.stop(mirror, STOPPED) for mirrors in copied)
        self._reactor.end_batch()
        return count

    def _close_later(self, frontend: Frontend, attached: AttachedMirror) -> None:
        """Forget an attachment that is over; its threads end when none of them calls any more."""
        number = attached.attachment.number
        if self._attached.pop(number, None) is None:
            return
        if attached in frontend.route.attached:
            frontend.route.attached.remove(attached)
        frontend.counters.detach(attached.mirror)
        self._limit.give_back(attached.mirror.limit)
        self._log(attached).info(
            "mirror_detached",
            reason=attached.ended_why,
            lost_streams=attached.mirror.state.lost_streams,
            lost_bytes=attached.counters.lost_bytes,
            left_out=attached.left_out,
        )
        self._leaving.append(attached)
        self._reactor.timers.after(0.0, self)

    def on_deadline(self) -> None:
        """Close the mirrors that are left for good."""
        leaving, self._leaving = self._leaving, []
        for attached in leaving:
            attached.mirror.sink.wind_up()
            if attached.mirror.is_busy:
                self._leaving.append(attached)
                continue
            attached.shared.detach(attached.mirror)
            self._mirrors.release_if_unused()
        if self._leaving:
            self._reactor.timers.after(_LOOK_AGAIN_S, self)

    def on_crash(self, error: Exception) -> None:
        """Tell what went wrong."""
        structlog.get_logger().error("internal_error", exc_info=error)

    def _log(self, attached: AttachedMirror) -> Any:
        attachment = attached.attachment
        return structlog.get_logger(
            attachment=attachment.number, route=attachment.route, mirror=attachment.name
        )
