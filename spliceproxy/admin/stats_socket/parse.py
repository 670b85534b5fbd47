"""Reading a command of the statistics socket from its words."""

from collections.abc import Callable, Sequence

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
from spliceproxy.admin.stats_socket.session_ids import parse_session

MAX_WEIGHT = 256
MAX_TIMEOUT_S = 3600

_Words = Sequence[str]


class CommandError(Exception):
    """A command is not understood; the text is what to answer."""


def parse_command(words: _Words) -> Command:
    """Return the command that the words are.

    Raises:
        CommandError: they are none.
    """
    for name, read in _READERS.items():
        first = name.split()
        if list(words[: len(first)]) == first:
            return read(words[len(first) :])
    raise CommandError("Unknown command; 'help' lists those that there are.")


def _alone(command: Command) -> Callable[[_Words], Command]:
    def read(words: _Words) -> Command:
        if words:
            raise CommandError(f"Nothing more was expected than that, not {words[0][:40]!r}.")
        return command

    return read


def _show_stat(words: _Words) -> Command:
    if not words:
        return ShowStat()
    if len(words) != 3:
        raise CommandError("'show stat' expects nothing, or <iid> <type> <sid>.")
    proxy = words[0] if words[0][:1].isalpha() else _number(words[0])
    return ShowStat(proxy, _number(words[1]), _number(words[2]))


def _show_sessions(words: _Words) -> Command:
    if len(words) > 1:
        raise CommandError("'show sess' expects nothing, or the id of a session.")
    return ShowSessions(_session(words[0]) if words else None)


def _set_server(words: _Words) -> Command:
    if len(words) != 3 or words[1] not in ("state", "weight"):
        raise CommandError("usage: set server <backend>/<server> state | weight <value>")
    if words[1] == "weight":
        return _set_weight((words[0], words[2]))
    if words[2] not in ("ready", "drain", "maint"):
        raise CommandError("'set server <srv> state' expects 'ready', 'drain' and 'maint'.")
    return SetState(_server(words[:1]), words[2])


def _set_weight(words: _Words) -> Command:
    if len(words) != 2:
        raise CommandError("usage: set weight <backend>/<server> <weight>[%]")
    number = words[1].removesuffix("%")
    percent = number != words[1]
    if not _is_count(number) or (int(number) > MAX_WEIGHT and not percent):
        raise CommandError(f"A weight is 1 to {MAX_WEIGHT}, or a percentage.")
    if int(number) == 0:
        raise CommandError("A weight is 1 or more; for no new sessions use state drain.")
    return SetWeight(_server(words[:1]), int(number), percent)


def _set_state(state: str) -> Callable[[_Words], Command]:
    return lambda words: SetState(_server(words), state)


def _set_timeout(words: _Words) -> Command:
    if len(words) != 1 or not _is_count(words[0]) or not 0 < int(words[0]) <= MAX_TIMEOUT_S:
        raise CommandError(f"'set timeout cli' expects 1 to {MAX_TIMEOUT_S} seconds.")
    return SetTimeout(int(words[0]))


def _shutdown_session(words: _Words) -> Command:
    if len(words) != 1:
        raise CommandError("Session pointer expected (use 'show sess').")
    return Shutdown(number=_session(words[0]))


def _session(text: str) -> str:
    try:
        return parse_session(text)
    except ValueError:
        raise CommandError("Session pointer expected (use 'show sess').") from None


def _server(words: _Words) -> ServerName:
    route, slash, backend = "".join(words[:1]).partition("/")
    if len(words) != 1 or not (route and slash and backend):
        raise CommandError("Require 'backend/server'.")
    return ServerName(route, backend)


def _number(text: str) -> int:
    if not _is_count(text.removeprefix("-")):
        raise CommandError(f"{text[:40]!r} is not a number.")
    return int(text)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 9


_READERS: dict[str, Callable[[_Words], Command]] = {
    "show info": _alone(ShowInfo()),
    "show stat": _show_stat,
    "show sess": _show_sessions,
    "set server": _set_server,
    "set weight": _set_weight,
    "enable server": _set_state("ready"),
    "disable server": _set_state("maint"),
    "shutdown session": _shutdown_session,
    "shutdown sessions server": lambda words: Shutdown(server=_server(words)),
    "set timeout cli": _set_timeout,
    "help": _alone(Help()),
    "prompt": _alone(Prompt()),
    "quit": _alone(Quit()),
}
