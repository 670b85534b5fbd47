"""Mirrors that are attached to a worker's routes and connections while it runs."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import structlog

from spliceproxy.ipc.attachment import Attachment
from spliceproxy.kernel.pipes import NoPipeError, PipePool, fitting_pipes
from spliceproxy.loop.reactor import Reactor
from spliceproxy.proxy.attached import Attached
from spliceproxy.proxy.counting import mirror_names
from spliceproxy.proxy.frontend import Frontend
from spliceproxy.proxy.session import Session
from spliceproxy.proxy.worker_mirrors import WorkerMirrors
from spliceproxy.sinks.stream_limit import StreamLimit

MOST_ATTACHED = 16
"""At once. Each costs a worker two threads and a descriptor, and each of its streams others."""

_LOOK_AGAIN_S = 1.0  # for a disk that still works on a spool which nobody waits for

STOPPED = "stopped_by_operator"


class AttachRefusedError(Exception):
    """A mirror that this worker cannot attach; the text says why, in one line."""


class Attachments:
    """Attaches, ends and forgets. Every worker has its own, all with the same numbers."""

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
        self._limit = StreamLimit(max(0, descriptors))
        self._attached: dict[int, Attached] = {}
        self._leaving: list[Attached] = []

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
        if not self._limit.most:
            raise AttachRefusedError(
                "connections may use all descriptors: set max_connections, or raise the file limit"
            )
        attached = self._open(attachment, frontend)
        if session is not None and not session.attach(attached):
            attached.end("", "streams_ended")
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

    def _open(self, attachment: Attachment, frontend: Frontend) -> Attached:
        settings = attachment.mirror
        try:
            shared = self._mirrors.acquire()
            targets = partial(iter, attachment.targets) if attachment.targets else None
            mirror = shared.attach(settings, targets, self._limit)
        except NoPipeError as error:
            raise AttachRefusedError(f"no pipe is to be had: {error}") from None
        except (OSError, RuntimeError) as error:  # RuntimeError: no thread
            raise AttachRefusedError(f"nothing is left for a mirror: {error}") from None
        attached = self._attached[attachment.number] = Attached(
            attachment,
            shared,
            mirror,
            fitting_pipes(self._pipes, shared.pipe_bytes),
            frontend.counting.attach(settings.text),
            partial(self._gone, frontend),
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

    def _gone(self, frontend: Frontend, attached: Attached) -> None:
        """Nothing is left of an attachment; its threads end when none of them calls any more."""
        number = attached.attachment.number
        if self._attached.pop(number, None) is None:
            return
        if attached in frontend.route.attached:
            frontend.route.attached.remove(attached)
        frontend.counting.detach(attached.mirror.settings.text)
        self._log(attached).info("mirror_detached", reason=attached.ended_why)
        self._leaving.append(attached)
        self._reactor.timers.after(0.0, self)

    def on_deadline(self) -> None:
        """Close the mirrors that are left for good."""
        leaving, self._leaving = self._leaving, []
        for attached in leaving:
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

    def _log(self, attached: Attached) -> Any:
        attachment = attached.attachment
        return structlog.get_logger(
            attachment=attachment.number, route=attachment.route, mirror=attachment.name
        )
