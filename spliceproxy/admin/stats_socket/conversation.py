"""What one client of the statistics socket says, and what it is answered."""

import os
import time
from typing import Any, Protocol

from spliceproxy.admin.messages import RefusedError
from spliceproxy.admin.orders_log import log_order, log_refused_order
from spliceproxy.admin.stats_socket.commands import (
    Command,
    Help,
    Prompt,
    Quit,
    ServerName,
    SetState,
    SetTimeout,
    SetWeight,
    ShowInfo,
    ShowSessions,
    ShowStat,
    Shutdown,
)
from spliceproxy.admin.stats_socket.info import write_info
from spliceproxy.admin.stats_socket.parse import CommandError, parse_command
from spliceproxy.admin.stats_socket.sessions import write_sessions
from spliceproxy.admin.stats_socket.table import select_rows, write_table
from spliceproxy.admin.stats_socket.weights import absolute_weight
from spliceproxy.ipc.description import Description
from spliceproxy.observe.status import Status
from spliceproxy.policy.selection import Selection

MAX_SESSIONS = 10_000
FIRST_TIMEOUT_S = 10.0
"""As HAProxy's `stats timeout`."""
PROMPT = "> "
_PATH = "stats_socket"
"""What logs say in the place of a path."""

_STATES = {"ready": "up", "drain": "drain", "maint": "disabled"}

HELP = """\
The following commands are valid:
  show info                               : report information about the running process
  show stat [<iid> <type> <sid>]          : report counters for each route and backend
  show sess [<id>]                        : report the open connections
  set server <bk>/<srv> state <state>     : ready, drain or maint
  set server <bk>/<srv> weight <weight>   : 1 to 256, or a percentage of the configured one
  enable server <bk>/<srv>                : as state ready
  disable server <bk>/<srv>               : as state maint
  set weight <bk>/<srv> <weight>          : as set server
  shutdown session <id>                   : reset a connection
  shutdown sessions server <bk>/<srv>     : reset all connections of a backend
  set timeout cli <seconds>               : wait so long for the next command
  help                                    : this list
  prompt                                  : toggle interactive mode with prompt
  quit                                    : disconnect
"""


class Stats(Protocol):
    """What the socket asks and orders; see `spliceproxy.admin.operations`."""

    @property
    def description(self) -> Description:
        """What the proxy is set up to do."""

    def status(self) -> Status:
        """Return the state of everything."""

    async def connections(self, selection: Selection, limit: int) -> dict[str, Any]:
        """Return open connections, and which workers did not answer."""

    async def close_connections(self, selection: Selection) -> dict[str, Any]:
        """Reset connections; returns how many."""

    def set_backend_state(self, route: str, backend: str, state: str) -> None:
        """Let a backend be ``up``, ``drain`` or ``disabled``."""

    def set_backend_weight(self, route: str, backend: str, weight: int) -> None:
        """Give a backend another share."""


class Conversation:
    """Answers lines; the first of them alone, unless the client asks for a prompt."""

    def __init__(self, stats: Stats, asker: str, *, may_order: bool = True) -> None:
        self._stats = stats
        self._asker = asker
        self._may_order = may_order
        self.interactive = False
        self.over = False
        self.timeout_s = FIRST_TIMEOUT_S

    async def answer(self, words: list[str]) -> str:
        """Answer a command."""
        answer = await self._answer(words)
        return "" if self.over else f"{answer}\n{PROMPT if self.interactive else ''}"

    def end_line(self) -> None:
        """All commands of a line have been answered."""
        self.over = self.over or not self.interactive

    async def _answer(self, words: list[str]) -> str:
        try:
            return await self._run(parse_command(words) if words else Help())
        except (CommandError, RefusedError) as error:
            return f"{error}\n"

    async def _run(self, command: Command) -> str:
        match command:
            case ShowInfo():
                node = os.uname().nodename
                return write_info(self._stats.status(), now=time.time(), node=node)
            case ShowStat():
                return write_table(select_rows(self._stats.status(), command))
            case ShowSessions():
                selection = Selection(number=command.number)
                answer = await self._stats.connections(selection, MAX_SESSIONS)
                return write_sessions(answer, MAX_SESSIONS)
            case SetState() | SetWeight() | Shutdown():
                return await self._hear_order(command)
            case Help():
                return HELP
            case _:
                self._arrange(command)
                return ""

    async def _hear_order(self, command: SetState | SetWeight | Shutdown) -> str:
        try:
            if not self._may_order:
                raise CommandError("Permission denied.")
            log_order(_PATH, self._asker, repr(command))
            return await self._order(command)
        except (CommandError, RefusedError) as error:
            log_refused_order(_PATH, self._asker, str(error))
            raise

    async def _order(self, command: SetState | SetWeight | Shutdown) -> str:
        if isinstance(command, Shutdown):
            return await self._shut_down(command)
        self._check(command.server)
        route, backend = command.server.route, command.server.backend
        if isinstance(command, SetState):
            self._stats.set_backend_state(route, backend, _STATES[command.state])
        else:
            weight = absolute_weight(self._stats.description, command)
            self._stats.set_backend_weight(route, backend, weight)
        return ""

    async def _shut_down(self, command: Shutdown) -> str:
        if command.server is None:
            answer = await self._stats.close_connections(Selection(number=command.number))
            return "" if answer["closed"] else "No such session (use 'show sess').\n"
        self._check(command.server)
        selection = Selection(route=command.server.route, backend=command.server.backend)
        await self._stats.close_connections(selection)
        return ""

    def _check(self, server: ServerName) -> None:
        routes = {route.name: route for route in self._stats.description.routes}
        if server.route not in routes:
            raise CommandError("No such backend.")
        if server.backend not in [one.name for one in routes[server.route].backends]:
            raise CommandError("No such server.")

    def _arrange(self, command: SetTimeout | Prompt | Quit) -> None:
        match command:
            case SetTimeout():
                self.timeout_s = float(command.timeout_s)
            case Prompt():
                self.interactive = not self.interactive
            case Quit():
                self.over = True
