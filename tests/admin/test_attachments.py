"""Attachments in all workers or in none, whoever comes and goes."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from spliceproxy.admin.attachments import AttachmentDirectory
from spliceproxy.admin.messages import RefusedError
from spliceproxy.admin.operations import Operations
from spliceproxy.admin.worker_line import WorkerLine
from spliceproxy.admin.worker_lines import WorkerLines
from spliceproxy.ipc.description import Description, RouteDescription
from spliceproxy.ipc.packets import MAX_PACKET_BYTES, decode, encode, make_line
from spliceproxy.ipc.shared_table import Row, SharedTable
from spliceproxy.observe.status_reader import StatusReader
from spliceproxy.settings.attach_grants import DEFAULT_GRANTS, AttachGrant
from tests.proxy.relay import eventually

ON_ROUTE = {"route": "main", "to": "null:"}


class FakeWorker:
    """Keeps what it is told, or refuses."""

    def __init__(self, slot: int, refusal: str = "") -> None:
        self.slot = slot
        self.refusal = refusal
        self.attached: dict[int, Any] = {}

    def answer(self, asked: dict[str, Any]) -> list[Any]:
        if asked["what"] == "attach":
            if not self.refusal:
                self.attached[asked["attachment"]["number"]] = asked["attachment"]
            return [{"refused": self.refusal}]
        if asked["what"] == "detach":
            return [self.attached.pop(asked["attachment"], None) is not None]
        assert asked["what"] == "attached"
        return list(self.attached.values())


class Administration:
    """An admin process without doors, and the workers that the test lets in."""

    def __init__(
        self,
        nursery: trio.Nursery,
        table: SharedTable,
        numbers: Row,
        grants: Iterable[AttachGrant] = DEFAULT_GRANTS,
    ) -> None:
        self._nursery = nursery
        self.lines = WorkerLines()
        operations = Operations(StatusReader(table), _tell_nobody, self.lines)
        route = RouteDescription("main", (), "round_robin", (), ())
        operations.describe(Description(1, 0.0, 1, False, 0, 0, "", "info", (route,)))
        self.attachments = AttachmentDirectory(operations, self.lines, numbers, grants)
        nursery.start_soon(self.attachments.run)

    def let_in(self, *workers: FakeWorker) -> None:
        for worker in workers:
            ours, theirs = make_line()
            self.lines.add(WorkerLine(worker.slot, ours))
            self._nursery.start_soon(_serve, worker, trio.socket.from_stdlib_socket(theirs))

    def let_in_dead(self, slot: int) -> None:
        """Have a line to a worker that has ended, and of whose end nobody has told yet."""
        ours, theirs = make_line()
        theirs.close()
        self.lines.add(WorkerLine(slot, ours))

    async def attach(self, **given: str) -> int:
        answer = await self.attachments.attach({**ON_ROUTE, **given}, "a test")
        number: int = answer["id"]
        return number

    def told(self) -> list[int]:
        return [one["id"] for one in self.attachments.told()["found"]]


async def _tell_nobody(what: str, **details: str) -> None:
    pytest.fail("attaching is no business of the master")


async def _serve(worker: FakeWorker, line: trio.socket.SocketType) -> None:
    with line:
        while packet := await line.recv(MAX_PACKET_BYTES):
            asked = decode(packet)
            answer = {"number": asked["number"], "found": worker.answer(asked), "more": False}
            await line.send(encode(answer))


@asynccontextmanager
async def administration(count: int = 1) -> AsyncIterator[list[Administration]]:
    """One after the other, as when the process has died; they share what outlives them."""
    table = SharedTable(100)
    async with trio.open_nursery() as nursery:
        numbers = table.claim("numbers")
        made = [Administration(nursery, table, numbers) for _ in range(count)]
        yield made
        for each in made:
            for line in each.lines.lines:
                each.lines.remove(line.slot)
        nursery.cancel_scope.cancel()
    table.close()


async def test_where_one_refuses_none_has_it() -> None:
    workers = [FakeWorker(0), FakeWorker(1, "nothing is left"), FakeWorker(2)]
    async with administration() as [admin]:
        admin.let_in(*workers)
        with pytest.raises(RefusedError, match="not attached: nothing is left") as refused:
            await admin.attach()
        assert refused.value.status == 409
        assert [worker.attached for worker in workers] == [{}, {}, {}]
        assert admin.told() == []


async def test_those_that_come_later_are_told_while_it_goes_on() -> None:
    first, later = FakeWorker(0), FakeWorker(1)
    async with administration() as [admin]:
        admin.let_in(first)
        kept, detached = await admin.attach(), await admin.attach()
        brief = await admin.attach(**{"for": "1ms"})
        await admin.attachments.detach(detached)
        await trio.sleep(0.01)
        admin.let_in(later)
        await eventually(lambda: kept in later.attached)
        assert set(later.attached) == {kept}
        assert admin.told() == [kept, detached, brief]


async def test_one_that_has_ended_keeps_no_other_from_learning() -> None:
    first, later = FakeWorker(0), FakeWorker(2)
    async with administration() as [admin]:
        admin.let_in(first)
        number = await admin.attach()
        admin.let_in_dead(1)
        admin.let_in(later)
        await eventually(lambda: number in later.attached)
        assert later.attached == first.attached


async def test_another_process_learns_from_one_worker_and_tells_the_others() -> None:
    old, young = FakeWorker(0), FakeWorker(1)
    async with administration(2) as [before, after]:
        before.let_in(old)
        number = await before.attach(client="10.0.0.0/8")
        after.let_in(young, old)
        await eventually(lambda: number in young.attached)
        assert young.attached == old.attached
        assert after.told() == [number]
        assert await after.attach() == number + 1
        await after.attachments.detach(number)
        with pytest.raises(RefusedError, match="is over already"):
            await after.attachments.detach(number)


async def test_a_connection_of_a_place_without_a_worker() -> None:
    async with administration() as [admin]:
        admin.let_in(FakeWorker(0))
        with pytest.raises(RefusedError, match="there is no connection 7-1") as refused:
            await admin.attach(connection="7-1")
        assert refused.value.status == 404


async def test_only_so_many_are_remembered_and_those_that_are_over_go_first() -> None:
    async with administration() as [admin]:
        admin.let_in(FakeWorker(0))
        numbers = [await admin.attach() for _ in range(70)]  # whose rows nobody has claimed
        assert admin.told() == numbers[-64:]
