"""The open listeners of all routes, and their change as a whole: all of it, or nothing."""

import errno
import os
import socket
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.addresses import name_listener
from spliceproxy.kernel.listening import (
    adjust,
    listen_everywhere,
    listen_tcp,
    listen_unix,
    permit,
    take_over,
)
from spliceproxy.master.places import InheritedPlace, ListenPlace, TcpPlace, UnixPlace, refusal
from spliceproxy.settings.proxy import RouteSettings


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a listening socket is to be."""

    listen: ListenPlace
    backlog: int
    tcp_user_timeout_s: float


@dataclass(slots=True, eq=False)
class OpenListener:
    """A listening socket of the master's."""

    sock: socket.socket
    wanted: Wanted
    file: tuple[int, int] | None = None
    """A unix socket's file, by device and inode."""

    @property
    def name(self) -> str:
        """As `--listen` takes it."""
        return name_listener(self.sock)

    def change_to(self, wanted: Wanted) -> None:
        """Change what can be changed of an open socket."""
        adjust(self.sock, wanted.backlog, wanted.tcp_user_timeout_s)
        place, permissions = wanted.listen.place, wanted.listen.permissions
        if isinstance(place, UnixPlace) and permissions != self.wanted.listen.permissions:
            if _identify(place.path) != self.file:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
            uid = os.geteuid() if permissions.uid == -1 else permissions.uid
            gid = os.getegid() if permissions.gid == -1 else permissions.gid
            permit(place.path, replace(permissions, uid=uid, gid=gid))
        self.wanted = wanted

    def give_back(self) -> None:
        """Close the socket, unless it was open before us and may be asked for again."""
        if isinstance(self.wanted.listen.place, InheritedPlace):
            self.sock.detach()
        else:
            self.close()

    def close(self) -> None:
        """Close the socket; its path goes first, unless somebody else has taken that over."""
        place = self.wanted.listen.place
        if isinstance(place, UnixPlace) and _identify(place.path) == self.file:
            try:
                Path(place.path).unlink(missing_ok=True)
            except OSError as error:  # its directory is read-only by now: no reason to end
                structlog.get_logger().warning(
                    "socket_not_removed", path=place.path, error=str(error)
                )
        self.sock.close()


class Listeners:
    """The listening sockets that this process has open, for its workers to accept from."""

    def __init__(self) -> None:
        self.open: dict[Hashable, OpenListener] = {}

    def change(
        self, routes: Sequence[RouteSettings], places: Sequence[Sequence[ListenPlace]]
    ) -> "ListenerChange":
        """Open what is added, change what is kept; until the end of the change nothing closes.

        Raises:
            StartProblem: an address cannot be listened on; nothing has changed then.
        """
        change = ListenerChange(self)
        try:
            for route, its_places in zip(routes, places, strict=True):
                change.take_all(route, its_places)
        except BaseException:
            change.undo()
            raise
        return change

    def forget_all_but(self, kept: Iterable[socket.socket]) -> None:
        """In a child: close the sockets that are not its business. Paths stay."""
        numbers = {id(sock) for sock in kept}
        for listener in self.open.values():
            if id(listener.sock) not in numbers:
                listener.sock.close()

    def close(self) -> None:
        """Close all; the last process to do so resets who waits in the backlog."""
        while self.open:
            self.open.popitem()[1].close()


@dataclass(slots=True, eq=False)
class ListenerChange:
    """A change that is under way; either `commit` or `undo` ends it."""

    _listeners: Listeners
    sockets: list[list[socket.socket]] = field(default_factory=list)
    """Of each route."""
    added: list[OpenListener] = field(default_factory=list)
    changed: list[tuple[OpenListener, Wanted]] = field(default_factory=list)
    """Each with what it was."""
    _keys: set[Hashable] = field(default_factory=set)

    @property
    def removed(self) -> list[OpenListener]:
        """What is there no longer after the change."""
        return [each for key, each in self._listeners.open.items() if key not in self._keys]

    @property
    def inherited_removed(self) -> set[int]:
        """The descriptors of those among them that were inherited."""
        places = [listener.wanted.listen.place for listener in self.removed]
        return {place.fd for place in places if isinstance(place, InheritedPlace)}

    @property
    def kept(self) -> int:
        """How many stay as they are."""
        return len(self._keys) - len(self.added) - len(self.changed)

    def take_all(self, route: RouteSettings, places: Sequence[ListenPlace]) -> None:
        """Open, or keep, the listeners of a route."""
        taken = []
        for number, listen in enumerate(places):
            wanted = Wanted(listen, route.backlog, route.timeouts.tcp_user_s)
            try:
                taken.append(self._take(_key(listen, route.name, number), wanted))
            except OSError as error:
                raise self._refusal(listen, error) from error
        self.sockets.append(taken)

    def _take(self, key: Hashable, wanted: Wanted) -> socket.socket:
        if key in self._keys:
            raise StartProblem(
                f"cannot listen on {wanted.listen.text} (another listener is the same socket)",
                "expected it once",
            )
        listener = self._listeners.open.get(key)
        if listener is None:
            listener = self._listeners.open[key] = open_listener(wanted)
            self.added.append(listener)
        elif listener.wanted != wanted:
            self.changed.append((listener, listener.wanted))
            listener.change_to(wanted)
        self._keys.add(key)
        return listener.sock

    def _refusal(self, listen: ListenPlace, error: OSError) -> StartProblem:
        place = listen.place
        if error.errno == errno.EADDRINUSE and isinstance(place, TcpPlace):
            for other in self._listeners.open.values():
                theirs = other.wanted.listen.place
                if isinstance(theirs, TcpPlace) and theirs.name[1] == place.name[1]:
                    return StartProblem(
                        f"cannot listen on {listen.text} ({other.name} is open here)",
                        "expected a reload without either of them before, or a restart",
                    )
        return refusal(listen, error)

    def undo(self) -> None:
        """Close what was opened, and give the others back what they were."""
        opened = {id(listener) for listener in self.added}
        for key, listener in list(self._listeners.open.items()):
            if id(listener) in opened:
                del self._listeners.open[key]
                listener.give_back()
        for listener, before in self.changed:
            try:
                listener.change_to(before)
            except OSError as error:  # it was possible a moment ago
                structlog.get_logger().error(
                    "listener_not_restored", listener=listener.name, error=str(error)
                )

    def commit(self) -> None:
        """Close what is there no longer."""
        for key in [key for key in self._listeners.open if key not in self._keys]:
            self._listeners.open.pop(key).close()


@contextmanager
def open_listeners(
    routes: Sequence[RouteSettings], places: Sequence[Sequence[ListenPlace]]
) -> Iterator[list[list[socket.socket]]]:
    """Listen for each route; on leaving, close all sockets and remove those that have a path.

    Raises:
        StartProblem: an address cannot be listened on; none stays open.
    """
    listeners = Listeners()
    try:
        yield listeners.change(routes, places).sockets
    finally:
        listeners.close()


def _key(listen: ListenPlace, route: str, number: int) -> Hashable:
    """What makes a listener of one configuration the same as that of another."""
    place = listen.place
    if isinstance(place, TcpPlace) and place.name[1] == 0:  # another port each time
        return (place, route, number)
    return place


def open_listener(wanted: Wanted) -> OpenListener:
    """Listen.

    Raises:
        OSError: as bind(2) and listen(2); nothing stays open.
    """
    place, backlog, timeout_s = wanted.listen.place, wanted.backlog, wanted.tcp_user_timeout_s
    if isinstance(place, UnixPlace):
        sock = listen_unix(place.path, backlog, wanted.listen.permissions)
        return OpenListener(sock, wanted, _identify(place.path))
    if isinstance(place, InheritedPlace):
        return OpenListener(take_over(place.fd, backlog, timeout_s), wanted)
    if place.family is None:
        return OpenListener(listen_everywhere(place.name[1], backlog, timeout_s), wanted)
    return OpenListener(listen_tcp(place.family, place.name, backlog, timeout_s), wanted)


def _identify(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
