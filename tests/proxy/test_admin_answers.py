"""A worker's answers to the admin process: no question, and no death of who asked, ends it."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import trio
import trio.testing

from spliceproxy.admin.worker_line import WorkerLine
from spliceproxy.ipc.packets import Question, encode, make_line
from spliceproxy.proxy.admin_answers import AdminAnswers
from spliceproxy.proxy.attachments import WorkerAttachments
from spliceproxy.proxy.client import Client
from spliceproxy.proxy.frontend import Frontend
from spliceproxy.settings.attach_grants import AttachGrant
from spliceproxy.settings.mirror import parse_mirror
from tests.mirroring.attaching import make_attachment

NO_ATTACHMENTS = cast(WorkerAttachments, None)
CONFIGURED = "file:/var/log/audit?max_age=30d"
MIRRORS = 20  # with them fifty connections are too long for one packet


class Session:
    """What is asked of a session."""

    record = SimpleNamespace(route="web")
    backend_name = "127.0.0.1:81"
    last_active_s = 0.0

    def __init__(self) -> None:
        self.client = Client(("127.0.0.1", 1234), "127.0.0.1:80")
        self.number = f"0-{self.client.number}"
        self.mirrors = self

    def traffic(self) -> None:
        return None

    def report(self) -> list[dict[str, object]]:
        return [{"to": "tcp://127.0.0.1:9", "reason": "x" * 200} for _ in range(MIRRORS)]


@asynccontextmanager
async def answering(count: int) -> AsyncIterator[socket.socket]:
    """Answer about so many connections; the other end of the line."""
    ours, theirs = make_line()
    route = SimpleNamespace(mirrors=[SimpleNamespace(settings=parse_mirror(CONFIGURED))])
    sessions = {Session() for _ in range(count)}
    frontend = cast(Frontend, SimpleNamespace(sessions=sessions, route=route))
    grants = [AttachGrant("file", "/var/log")]
    attachments = cast(WorkerAttachments, SimpleNamespace())
    with ours:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                AdminAnswers(theirs, 0, [frontend], attachments, lambda: None, grants).run
            )
            yield ours
            nursery.cancel_scope.cancel()


async def test_what_the_configuration_does_not_grant_is_refused_whoever_let_it_pass() -> None:
    async with answering(1) as ours:
        line = WorkerLine(0, ours)
        for to, lacking in (("exec:id", "exec"), ("file:/etc/cron.d", "file:/etc/cron.d")):
            told = make_attachment(1, to=to).as_message()
            [answer] = await line.ask(Question.ATTACH, attachment=told)
            assert f"not granted: add {lacking} to" in answer["refused"]


async def test_what_is_not_for_operators_is_refused_whoever_let_it_pass() -> None:
    async with answering(1) as ours:
        line = WorkerLine(0, ours)
        for to, why in (
            ("file:/var/log/audit/looks", "a mirror of the configuration writes into"),
            ("file:/var/log/looks?max_total=1MiB", "max_total is for mirrors of the configuration"),
        ):
            told = make_attachment(1, to=to).as_message()
            [answer] = await line.ask(Question.ATTACH, attachment=told)
            assert why in answer["refused"]


async def test_a_look_at_many_connections_leaves_time_for_others_between_pieces() -> None:
    pieces = 0

    async def others() -> None:
        nonlocal pieces
        while True:
            await trio.lowlevel.checkpoint()
            pieces += 1

    async with answering(1000) as ours, trio.open_nursery() as nursery:
        nursery.start_soon(others)
        line = WorkerLine(0, ours)
        assert await line.ask(Question.CONNECTIONS, selection={"number": "9-9"}, limit=10) == []
        assert pieces >= 1000 / 50
        assert len(await line.ask(Question.CONNECTIONS, selection={}, limit=70)) == 70
        nursery.cancel_scope.cancel()


async def test_connections_with_many_mirrors_are_told_in_more_packets() -> None:
    async with answering(120) as ours:
        found: list[Any] = await WorkerLine(0, ours).ask(
            Question.CONNECTIONS, selection={}, limit=1000
        )
    assert len({one["number"] for one in found}) == 120
    assert all(len(one["mirrors"]) == MIRRORS for one in found)


async def test_a_question_that_makes_no_sense_is_an_error_and_not_the_end() -> None:
    async with answering(1) as ours:
        ask: dict[str, object] = {"number": 1, "what": "connections", "limit": 1}
        ours.send(encode({**ask, "selection": {"no": "such key"}}))
        await trio.lowlevel.wait_readable(ours)
        assert b'"error":' in ours.recv(1000)
        ours.send(encode({**ask, "number": 2, "selection": {}}))
        await trio.lowlevel.wait_readable(ours)
        assert ours.recv(100_000).startswith(b'{"number":2,"found":[{')


async def test_whoever_asked_dies_with_the_answer_unread() -> None:
    async with answering(1) as ours:
        ours.send(encode({"number": 1, "what": "connections", "selection": {}, "limit": 1}))
        await trio.lowlevel.wait_readable(ours)
        ours.close()  # ECONNRESET for the worker, which serves on
        await trio.testing.wait_all_tasks_blocked()
