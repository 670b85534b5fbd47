"""Who is called for which event, and what happens to events that have become stale."""

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import trio

from spliceproxy.loop.reactor import Reactor
from tests.descriptors import is_open
from tests.loop.watching import Watcher, eventually, running_reactor

IN, OUT = select.EPOLLIN, select.EPOLLOUT


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as closing:
        yield closing


def pair(stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    near, far = socket.socketpair()
    stack.enter_context(near)
    stack.enter_context(far)
    return near, far


async def test_a_watcher_is_called_until_it_acts(stack: ExitStack) -> None:
    near, far = pair(stack)
    async with running_reactor() as reactor:
        watcher = Watcher(lambda _: near.recv(1))
        reactor.register(near.fileno(), IN, watcher)
        far.send(b"abc")
        await eventually(lambda: len(watcher.events) == 3)
        assert watcher.events == [IN, IN, IN]
        reactor.unregister(near.fileno())
        far.send(b"d")
        await trio.sleep(0.02)
        assert len(watcher.events) == 3


async def test_what_is_watched_for_may_change(stack: ExitStack) -> None:
    near, far = pair(stack)
    async with running_reactor() as reactor:
        watcher = Watcher(lambda events: reactor.modify(near.fileno(), 0))
        reactor.register(near.fileno(), 0, watcher)
        far.send(b"a")
        await trio.sleep(0.02)
        assert watcher.events == []
        reactor.modify(near.fileno(), OUT)
        await eventually(lambda: watcher.events == [OUT])
        reactor.modify(near.fileno(), IN)
        await eventually(lambda: watcher.events == [OUT, IN])


async def test_a_descriptor_may_change_hands(stack: ExitStack) -> None:
    near, far = pair(stack)
    async with running_reactor() as reactor:
        first, second = Watcher(), Watcher(lambda _: near.recv(1))
        reactor.register(near.fileno(), 0, first)
        reactor.hand_over(near.fileno(), IN, second)
        far.send(b"a")
        await eventually(lambda: second.events == [IN])
        assert first.events == []


async def test_an_event_that_has_become_stale_is_dropped(stack: ExitStack) -> None:
    """Whichever of two ready descriptors comes first removes the other."""
    (left, left_far), (right, right_far) = pair(stack), pair(stack)
    async with running_reactor() as reactor:

        def only_one(own: socket.socket, other: socket.socket) -> Watcher:
            def act(_: int) -> None:
                own.recv(1)
                reactor.unregister(other.fileno())

            return Watcher(act)

        watchers = [only_one(left, right), only_one(right, left)]
        reactor.register(left.fileno(), IN, watchers[0])
        reactor.register(right.fileno(), IN, watchers[1])
        left_far.send(b"a")
        right_far.send(b"a")
        await eventually(lambda: any(watcher.events for watcher in watchers))
        await trio.sleep(0.02)
        assert sorted(len(watcher.events) for watcher in watchers) == [0, 1]
        assert not any(watcher.crashes for watcher in watchers)


async def test_a_number_is_not_given_out_again_while_its_event_waits(stack: ExitStack) -> None:
    """A new socket with a closed one's number would be called for the old one's event."""
    (left, left_far), (right, right_far) = pair(stack), pair(stack)
    newcomer = Watcher()
    numbers: dict[str, int] = {}
    async with running_reactor() as reactor:

        def replace(own: socket.socket, other: socket.socket) -> Watcher:
            def act(_: int) -> None:
                numbers["closed"] = other.fileno()
                reactor.unregister(other.fileno())
                reactor.close_later(other)
                own.recv(1)
                fresh = pair(stack)[0].fileno()
                numbers["new"] = fresh
                reactor.register(fresh, IN, newcomer)

            return Watcher(act)

        reactor.register(left.fileno(), IN, replace(left, right))
        reactor.register(right.fileno(), IN, replace(right, left))
        left_far.send(b"a")
        right_far.send(b"a")
        await eventually(lambda: "new" in numbers)
        await eventually(lambda: not is_open(numbers["closed"]))
        assert numbers["new"] != numbers["closed"]
        assert newcomer.events == []


@pytest.mark.parametrize("forks", [False, True], ids=["alone", "forks"])
async def test_a_retired_socket_leaves_by_its_close(stack: ExitStack, *, forks: bool) -> None:
    """Its event of this batch is dropped, and its number is free for another one."""
    (left, left_far), (right, right_far) = pair(stack), pair(stack)
    newcomer = Watcher(lambda events: fresh[0].recv(1))
    fresh: list[socket.socket] = []
    async with running_reactor() as reactor:
        if forks:
            reactor.expect_forks()

        def only_one(own: socket.socket, other: socket.socket) -> Watcher:
            def act(_: int) -> None:
                own.recv(1)
                reactor.retire(other.fileno())
                reactor.close_later(other)
                closed.append(other.fileno())

            return Watcher(act)

        closed: list[int] = []
        watchers = [only_one(left, right), only_one(right, left)]
        reactor.register(left.fileno(), IN, watchers[0])
        reactor.register(right.fileno(), IN, watchers[1])
        left_far.send(b"a")
        right_far.send(b"a")
        await eventually(lambda: bool(closed) and not is_open(closed[0]))
        assert sorted(len(watcher.events) for watcher in watchers) == [0, 1]
        fresh += pair(stack)
        assert closed[0] in {sock.fileno() for sock in fresh}
        if fresh[0].fileno() != closed[0]:
            fresh.reverse()
        reactor.register(closed[0], IN, newcomer)
        fresh[1].send(b"a")
        await eventually(lambda: newcomer.events == [IN])
        reactor.unregister(closed[0])


@pytest.mark.parametrize("retired", ["before", "after"])
async def test_no_event_of_a_closed_socket_comes_by_its_duplicate(
    stack: ExitStack, retired: str
) -> None:
    """As a child has one that has not executed its program yet."""
    near, far = pair(stack)
    stack.enter_context(near.dup())
    newcomer = Watcher()
    async with running_reactor() as reactor:
        number = near.fileno()
        reactor.register(number, IN, Watcher())
        if retired == "after":
            reactor.expect_forks()
        reactor.retire(number)
        reactor.close_later(near)
        if retired == "before":
            reactor.expect_forks()
        reactor.end_batch()
        fresh = pair(stack)[0]
        assert fresh.fileno() == number
        reactor.register(number, IN, newcomer)
        far.send(b"for nobody")
        await trio.sleep(0.02)
        assert newcomer.events == []
        reactor.unregister(number)


async def test_a_watcher_that_fails_is_told_and_alone(stack: ExitStack) -> None:
    (left, left_far), (right, right_far) = pair(stack), pair(stack)

    def fail(_: int) -> None:
        left.recv(1)
        raise RuntimeError("a fault that nobody foresaw")

    async with running_reactor() as reactor:
        failing, other = Watcher(fail), Watcher(lambda _: right.recv(1))
        reactor.register(left.fileno(), IN, failing)
        reactor.register(right.fileno(), IN, other)
        for _ in range(2):
            left_far.send(b"a")
            right_far.send(b"a")
        await eventually(lambda: len(failing.crashes) == len(other.events) == 2)


async def test_other_tasks_have_their_turn_under_endless_load(stack: ExitStack) -> None:
    near, far = pair(stack)
    far.send(b"never read")
    async with running_reactor() as reactor:
        watcher = Watcher()
        reactor.register(near.fileno(), IN, watcher)
        for _ in range(5):
            await trio.sleep(0.001)
        assert len(watcher.events) > 5


async def test_deadlines_are_met_under_endless_load(stack: ExitStack) -> None:
    near, far = pair(stack)
    far.send(b"never read")

    class Waiter(Watcher):
        def on_deadline(self) -> None:
            self.events.append(0)

    async with running_reactor() as reactor:
        reactor.register(near.fileno(), IN, Watcher())
        waiter = Waiter()
        reactor.timers.after(0.05, waiter)
        await eventually(lambda: waiter.events == [0])


async def test_sockets_to_close_are_closed_without_an_event(stack: ExitStack) -> None:
    near, _ = pair(stack)

    class Closer(Watcher):
        def on_deadline(self) -> None:
            reactor.close_later(near)

    async with running_reactor() as reactor:
        reactor.timers.after(0.01, Closer())
        await eventually(lambda: near.fileno() < 0)


def test_closing_closes_what_was_to_be_closed_later(stack: ExitStack) -> None:
    near, _ = pair(stack)
    reactor = Reactor()
    reactor.close_later(near)
    assert near.fileno() >= 0
    reactor.close()
    assert near.fileno() < 0
    with pytest.raises(ValueError, match="closed"):
        reactor.register(0, IN, Watcher())
