"""Serving the clients of the statistics socket."""

import socket
from dataclasses import dataclass, field
from functools import partial

import structlog
import trio

from spliceproxy.admin.acceptor import Acceptor
from spliceproxy.admin.house import Guest
from spliceproxy.admin.roles import Operators, Role
from spliceproxy.admin.stats_socket.conversation import Conversation, Stats
from spliceproxy.admin.stats_socket.lines import LineReader, TooLongError, split_commands

SEND_TIMEOUT_S = 10.0
"""For each part of an answer to be taken."""
_PART_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class StatsDoor:
    """The listening socket, whose file's mode says who may look, and who may give orders."""

    sock: socket.socket
    operators: Operators = field(default_factory=Operators)


class StatsServer:
    """Serves clients until it is cancelled; none of them can end it."""

    def __init__(self, doors: list[StatsDoor], stats: Stats) -> None:
        self._doors = doors
        self._stats = stats

    async def run(self) -> None:
        """Accept clients."""
        acceptor = Acceptor()
        async with trio.open_nursery() as nursery:
            for door in self._doors:
                serve = partial(self._serve, door.operators)
                nursery.start_soon(acceptor.accept, door.sock, serve)

    async def _serve(self, operators: Operators, stream: trio.SocketStream, guest: Guest) -> None:
        if guest.stands:  # there is no question of health here
            return
        may_order = operators.role_of(guest.peer) is Role.OPERATOR
        conversation = Conversation(self._stats, guest.peer.name, may_order=may_order)
        try:
            await self._converse(stream, guest, conversation)
        except (trio.BrokenResourceError, trio.TooSlowError, TooLongError):
            return  # gone, stalled, or talking without end
        except Exception as error:
            structlog.get_logger().error("internal_error", path="stats_socket", exc_info=error)

    async def _converse(
        self, stream: trio.SocketStream, guest: Guest, conversation: Conversation
    ) -> None:
        reader = LineReader()
        while not conversation.over:
            with trio.fail_after(conversation.timeout_s):
                data = await stream.receive_some(_PART_BYTES)
            await trio.lowlevel.checkpoint_if_cancelled()  # sent away: then nothing is begun
            guest.asks()
            for line in reader.feed(data) if data else reader.finish():
                if not conversation.over:
                    await _answer(stream, conversation, line)
            if not data:
                return
            guest.waits()


async def _answer(stream: trio.SocketStream, conversation: Conversation, line: str) -> None:
    for words in split_commands(line):
        data = (await conversation.answer(words)).encode()
        for start in range(0, len(data), _PART_BYTES):
            with trio.fail_after(SEND_TIMEOUT_S):
                await stream.send_all(data[start : start + _PART_BYTES])
        if conversation.over:
            return
    conversation.end_line()
