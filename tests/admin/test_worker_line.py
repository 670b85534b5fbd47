"""The admin process's line to a worker: what is asked of one that does not answer as it should."""

import socket
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from spliceproxy.admin import worker_line
from spliceproxy.admin.worker_line import NoAnswerError, WorkerLine
from spliceproxy.ipc.packets import Question, encode, make_line


@pytest.fixture
def ends() -> Iterator[tuple[WorkerLine, socket.socket]]:
    """The line, and the worker's end of it."""
    ours, theirs = make_line()
    with ours, theirs:
        yield WorkerLine(3, ours), theirs


async def ask(line: WorkerLine, answers: list[str]) -> None:
    try:
        await line.ask(Question.CONNECTIONS, selection={}, limit=1)
    except NoAnswerError as error:
        answers.append(str(error))


async def test_a_worker_that_ends_while_it_is_asked(
    ends: tuple[WorkerLine, socket.socket],
) -> None:
    answers: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, ends[0], answers)
        await trio.testing.wait_all_tasks_blocked()
        ends[0].close()  # as when the master tells that it has ended
    assert [answer.partition(" (")[0] for answer in answers] == ["worker 3 is gone"]


async def test_those_who_ask_a_worker_that_hangs_do_not_wait_in_a_row(
    ends: tuple[WorkerLine, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_line, "ANSWER_TIMEOUT_S", 0.2)
    answers: list[str] = []
    with trio.fail_after(2.0):  # in a row they would take 10 s
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(ask, ends[0], answers)
    assert answers == ["worker 3 did not answer in 0.2 s"] * 50


async def test_an_answer_that_comes_too_late_is_nobodys(
    ends: tuple[WorkerLine, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, worker = ends
    monkeypatch.setattr(worker_line, "ANSWER_TIMEOUT_S", 0.1)
    await ask(line, [])
    first = worker.recv(1000)
    number = int(first.partition(b'"number":')[2].partition(b",")[0])
    worker.send(encode({"number": number, "found": ["late"], "more": False}))
    worker.send(encode({"number": number + 1, "found": ["right"], "more": False}))
    assert await line.ask(Question.CONNECTIONS) == ["right"]
