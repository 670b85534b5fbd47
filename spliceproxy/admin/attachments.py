"""Mirrors that are attached while the proxy runs: checked here, kept by all workers.

The workers hold them, and end them when their time is over, also without this process. It tells
workers that come later; and when it comes later itself, it learns from them.

====================================  ==========================================================
what ends an attachment               who acts
====================================  ==========================================================
an operator detaches it               `AttachmentDirectory.detach` tells all workers, and later
                                      those that did not answer
its time is over                      each worker by itself
its one connection ends, or has had   the worker that has it
its ``bytes``
a worker refuses it at the start      `AttachmentDirectory.attach` detaches it from the others
a worker ends                         that worker; the others keep it, a new one is told of it
this process ends                     nobody: the next one learns of it from the workers
====================================  ==========================================================
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
import trio

from spliceproxy.admin.granted import check_granted
from spliceproxy.admin.messages import RefusedError
from spliceproxy.admin.operations import Operations
from spliceproxy.admin.threads import run_in_thread
from spliceproxy.admin.worker_line import NoAnswerError, WorkerLine
from spliceproxy.admin.worker_lines import WorkerLines
from spliceproxy.errors import Problem
from spliceproxy.ipc.attachment import (
    Attachment,
    AttachRequest,
    parse_attach_request,
    slot_of,
)
from spliceproxy.ipc.description import MirrorDescription
from spliceproxy.ipc.packets import Question
from spliceproxy.ipc.shared_table import Row
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.observe.status import MirrorStatus
from spliceproxy.settings.attach_grants import AttachGrant
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.checks import check_mirrors
from spliceproxy.upstream.resolved import resolve_mirrors

_MOST_TOLD = 64
"""So many attachments are told of at most; those that are over longest are forgotten first."""
_RETRY_S = 1.0

_FIND_TIMEOUT_S = 10.0
_FINDERS = trio.CapacityLimiter(2)
"""A disk or a name server that hangs keeps its thread; so there are few of them."""


@dataclass(slots=True)
class _Known:
    attachment: Attachment
    detached: bool = False


class AttachmentDirectory:
    """Attaches in all workers or in none, and knows what is attached."""

    def __init__(
        self,
        operations: Operations,
        workers: WorkerLines,
        numbers: Row,
        grants: Iterable[AttachGrant],
    ) -> None:
        self._grants = tuple(grants)
        self._operations = operations
        self._workers = workers
        self._numbers = numbers
        self._known: dict[int, _Known] = {}
        self._turn = trio.Lock()

    async def attach(self, given: Mapping[str, object], asker: str) -> dict[str, Any]:
        """Attach a mirror as somebody asks for it; returns its number.

        Raises:
            RefusedError: it is not understood or granted, its sink cannot be used, or a worker
                refuses.
        """
        try:
            request = parse_attach_request(given)
        except ValueError as problem:
            raise RefusedError(400, str(problem)) from None
        request = await check_granted(request, self._grants, self._taken_directories())
        route = await self._find_route(request)
        targets = await _find_targets(request.mirror)
        async with self._turn:
            self._numbers.cells[0] += 1
            number = self._numbers.cells[0]
            now_s = time.monotonic()
            attachment = request.attachment(number, route, targets, asker, now_s=now_s)
            await self._attach_everywhere(attachment)
            self._learn(attachment)
        return {"id": attachment.number, "mirror": attachment.name, "route": route}

    def _taken_directories(self) -> list[str]:
        mirrors = [one for route in self._operations.description.routes for one in route.mirrors]
        return [mirror.directory for mirror in mirrors if mirror.directory]

    async def _find_route(self, request: AttachRequest) -> str:
        """Return the route that is meant, which a connection has by itself."""
        names = [route.name for route in self._operations.description.routes]
        if request.connection is not None:
            slot, selection = slot_of(request.connection), {"number": request.connection}
            answer = await self._workers.ask(
                slot, Question.CONNECTIONS, selection=selection, limit=1
            )
            if not answer["found"]:
                raise RefusedError(404, f"there is no connection {request.connection}")
            route = str(answer["found"][0]["route"])
            if request.route not in (None, route):
                raise RefusedError(400, f"connection {request.connection} is of route {route}")
            return route
        if request.route not in names:
            raise RefusedError(404, f"there is no route {request.route!r:.60}: {', '.join(names)}")
        return request.route

    async def _attach_everywhere(self, attachment: Attachment) -> None:
        message = attachment.as_message()
        if attachment.slot is None:
            answer = await self._workers.ask_all(Question.ATTACH, attachment=message)
        else:
            answer = await self._workers.ask(attachment.slot, Question.ATTACH, attachment=message)
        refusals = [one["refused"] for one in answer["found"] if one["refused"]]
        why = [*answer["silent"], *refusals]
        if not answer["found"] and not why:
            why = ["no worker accepts connections of the route"]
        if why:
            await self._workers.ask_all(Question.DETACH, attachment=attachment.number)
            raise RefusedError(409, f"not attached: {why[0]}")

    async def detach(self, number: object) -> dict[str, Any]:
        """End an attachment; what is queued is still delivered.

        Raises:
            RefusedError: there is none of that number, or it is over.
        """
        known = self._known.get(number) if type(number) is int else None
        if known is None:
            raise RefusedError(404, f"there is no attachment {repr(number)[:60]}")
        async with self._turn:
            known.detached = True
            answer = await self._workers.ask_all(Question.DETACH, attachment=number)
        if not any(answer["found"]) and not answer["silent"]:
            raise RefusedError(409, f"attachment {number} is over already")
        return {"id": number, "silent": answer["silent"]}

    def told(self) -> dict[str, Any]:
        """Return what is attached, and what has been of late."""
        status = self._status()
        now_s = time.monotonic()
        return {
            "found": [
                {
                    "id": number,
                    "route": known.attachment.route,
                    "mirror": known.attachment.name,
                    "client": known.attachment.client,
                    "connection": known.attachment.connection,
                    "left_s": known.attachment.left_s(now_s),
                    "max_bytes": known.attachment.mirror.max_bytes,
                    "asker": known.attachment.asker,
                    "state": status[number].state,
                    "reason": status[number].reason,
                    "since": status[number].since,
                    "streams": status[number].streams,
                    "open": status[number].open,
                    "lag_bytes": status[number].lag_bytes,
                    "delivered_bytes": status[number].delivered_bytes,
                    "dropped_bytes": status[number].dropped_bytes,
                    "left_out": status[number].left_out,
                }
                for number, known in self._known.items()
                if number in status
            ]
        }

    def _status(self) -> dict[int, MirrorStatus]:
        mirrors = [one for route in self._operations.status().routes for one in route.mirrors]
        return {one.attached: one for one in mirrors if one.attached is not None}

    def _learn(self, attachment: Attachment) -> None:
        self._known[attachment.number] = _Known(attachment)
        self._describe()
        if len(self._known) > _MOST_TOLD:
            status = self._status()
            over = [each for each in self._known if each not in status or not status[each].is_alive]
            for number in over[: len(self._known) - _MOST_TOLD]:
                del self._known[number]
            self._describe()

    def _describe(self) -> None:
        by_route: dict[str, list[MirrorDescription]] = defaultdict(list)
        for number in sorted(self._known):
            attachment = self._known[number].attachment
            mirror = attachment.mirror
            by_route[attachment.route].append(
                MirrorDescription(
                    mirror.text, mirror.direction, mirror.overflow, mirror.sample, attached=number
                )
            )
        self._operations.tell_attached(by_route)

    async def run(self) -> None:
        """Tell workers that come, and learn what they know, until cancelled."""
        while True:
            await self._workers.wait_for_more()
            agreed = await self._agree()
            while not agreed:
                await trio.sleep(_RETRY_S)
                agreed = await self._agree()

    async def _agree(self) -> bool:
        """Have every worker know of every attachment; False: one did not answer yet.

        The others learn all the same, at once: in a reload there is always one that has just ended.
        """
        agreed = True
        have: dict[WorkerLine, set[int]] = {}
        async with self._turn:
            for line in self._workers.lines:
                try:
                    have[line] = await self._hear(line)
                except NoAnswerError:
                    agreed = False
            for line, numbers in have.items():
                try:
                    await self._tell(line, numbers)
                except NoAnswerError:
                    agreed = False
        return agreed

    async def _hear(self, line: WorkerLine) -> set[int]:
        """Learn what a worker has attached."""
        found = [Attachment.from_message(one) for one in await line.ask(Question.ATTACHED)]
        for attachment in found:
            if attachment.number not in self._known:
                self._learn(attachment)
        return {attachment.number for attachment in found}

    async def _tell(self, line: WorkerLine, numbers: set[int]) -> None:
        """Attach what a worker lacks, and detach what it has not heard the end of."""
        for number, known in list(self._known.items()):
            attachment = known.attachment
            if known.detached and number in numbers:
                await line.ask(Question.DETACH, attachment=number)
            missing = number not in numbers and not known.detached
            if missing and attachment.connection is None and self._goes_on(attachment):
                for one in await line.ask(Question.ATTACH, attachment=attachment.as_message()):
                    if one["refused"]:
                        structlog.get_logger().error(
                            "mirror_not_attached",
                            attachment=number,
                            slot=line.slot,
                            reason=one["refused"],
                        )

    def _goes_on(self, attachment: Attachment) -> bool:
        left_s = attachment.left_s(time.monotonic())
        return left_s is None or left_s > 0


async def _find_targets(mirror: MirrorSettings) -> tuple[SocketAddress, ...]:
    """Check whether a mirror can work, and look its name up; the addresses, if it has any.

    Raises:
        RefusedError: it could never work, or finding out takes too long, or more threads
            than there are.
    """
    with trio.move_on_after(_FIND_TIMEOUT_S):
        try:
            return await run_in_thread(partial(_check_and_resolve, mirror), _FINDERS)
        except Problem as problem:
            raise RefusedError(400, str(problem)) from None
    raise RefusedError(504, f"looking at the mirror's place takes more than {_FIND_TIMEOUT_S:g} s")


def _check_and_resolve(mirror: MirrorSettings) -> tuple[SocketAddress, ...]:
    check_mirrors([mirror])
    [resolved] = resolve_mirrors((mirror,))
    return () if resolved is None else resolved.sockets
