"""The open listeners of all routes, and their change as a whole: all of it, or nothing."""

import errno
import itertools
import os
import socket
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import structlog

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.addresses import name_listener
from spliceproxy.kernel.listening import (
    FileId,
    adjust,
    change_permissions,
    listen_abstract,
    listen_everywhere,
    listen_tcp,
    listen_unix,
    remove_socket,
    take_over,
)
from spliceproxy.master.listen_targets import (
    AbstractBind,
    InheritedFd,
    ListenTarget,
    TcpBind,
    UnixBind,
    refusal,
)
from spliceproxy.master.missing_addresses import open_available
from spliceproxy.settings.proxy import RouteSettings


@dataclass(frozen=True, slots=True)
class ListenerSpec:
    """What a listening socket is to be."""

    target: ListenTarget
    backlog: int
    tcp_user_timeout_s: float


@dataclass(slots=True, eq=False)
class OpenListener:
    """A listening socket of the master's."""

    sock: socket.socket
    spec: ListenerSpec
    file: FileId | None = None
    """A unix socket's."""

    @property
    def name(self) -> str:
        """As `--listen` takes it."""
        return name_listener(self.sock)

    def change_to(self, spec: ListenerSpec) -> None:
        """Change what can be changed of an open socket."""
        adjust(self.sock, spec.backlog, spec.tcp_user_timeout_s)
        bind, permissions = spec.target.bind, spec.target.permissions
        changed = permissions != self.spec.target.permissions
        if isinstance(bind, UnixBind) and self.file is not None and changed:
            uid = os.geteuid() if permissions.uid == -1 else permissions.uid
            gid = os.getegid() if permissions.gid == -1 else permissions.gid
            change_permissions(bind.path, self.file, replace(permissions, uid=uid, gid=gid))
        self.spec = spec

    def give_back(self) -> None:
        """Close the socket, unless it was open before us and may be asked for again."""
        if isinstance(self.spec.target.bind, InheritedFd):
            self.sock.detach()
        else:
            self.close()

    def close(self) -> None:
        """Close the socket; its path goes first, unless somebody else has taken that over."""
        bind = self.spec.target.bind
        if isinstance(bind, UnixBind) and self.file is not None:
            try:
                remove_socket(bind.path, self.file)
            except OSError as error:  # its directory is read-only by now: no reason to end
                structlog.get_logger().warning(
                    "socket_not_removed", path=bind.path, error=str(error)
                )
        self.sock.close()


class OpenListeners:
    """The listening sockets that this process has open, for its workers to accept from."""

    def __init__(self) -> None:
        self.open: dict[Hashable, OpenListener] = {}

    def change(
        self, routes: Sequence[RouteSettings], targets: Sequence[Sequence[ListenTarget]]
    ) -> "ListenerChange":
        """Open what is added, change what is kept; until the end of the change nothing closes.

        Raises:
            StartProblem: an address cannot be listened on; nothing has changed then.
        """
        change = ListenerChange(self)
        try:
            for route, its_targets in zip(routes, targets, strict=True):
                change.take_all(route, its_targets)
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

    _listeners: OpenListeners
    sockets: list[list[socket.socket]] = field(default_factory=list)
    """Of each route."""
    entries: list[list[int]] = field(default_factory=list)
    """Of each of these sockets: which of the route's `listen` it stands for."""
    added: list[OpenListener] = field(default_factory=list)
    changed: list[tuple[OpenListener, ListenerSpec]] = field(default_factory=list)
    """Each with what it was."""
    _keys: set[Hashable] = field(default_factory=set)

    @property
    def removed(self) -> list[OpenListener]:
        """What is there no longer after the change."""
        return [each for key, each in self._listeners.open.items() if key not in self._keys]

    @property
    def inherited_removed(self) -> set[int]:
        """The descriptors of those among them that were inherited."""
        binds = [listener.spec.target.bind for listener in self.removed]
        return {bind.fd for bind in binds if isinstance(bind, InheritedFd)}

    @property
    def kept(self) -> int:
        """How many stay as they are."""
        return len(self._keys) - len(self.added) - len(self.changed)

    def take_all(self, route: RouteSettings, targets: Sequence[ListenTarget]) -> None:
        """Open, or keep, the listeners of a route."""
        numbers = itertools.count()

        def take(target: ListenTarget) -> tuple[socket.socket, int]:
            spec = ListenerSpec(target, route.backlog, route.timeouts.tcp_user_s)
            return self._take(_key(target, route.name, next(numbers)), spec), target.entry

        opened = open_available(targets, take, self._refusal)
        self.sockets.append([sock for sock, _ in opened])
        self.entries.append([entry for _, entry in opened])

    def _take(self, key: Hashable, spec: ListenerSpec) -> socket.socket:
        if key in self._keys:
            raise StartProblem(
                f"cannot listen on {spec.target.text} (another listener is the same socket)",
                "expected it once",
            )
        listener = self._listeners.open.get(key)
        if listener is None:
            listener = self._listeners.open[key] = open_listener(spec)
            self.added.append(listener)
        elif listener.spec != spec:
            self.changed.append((listener, listener.spec))
            listener.change_to(spec)
        self._keys.add(key)
        return listener.sock

    def _refusal(self, target: ListenTarget, error: OSError) -> StartProblem:
        bind = target.bind
        if error.errno == errno.EADDRINUSE and isinstance(bind, TcpBind):
            for other in self._listeners.open.values():
                theirs = other.spec.target.bind
                if isinstance(theirs, TcpBind) and theirs.name[1] == bind.name[1]:
                    return StartProblem(
                        f"cannot listen on {target.text} ({other.name} is open here)",
                        "expected a reload without either of them before, or a restart",
                    )
        return refusal(target, error)

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
    routes: Sequence[RouteSettings], targets: Sequence[Sequence[ListenTarget]]
) -> Iterator[ListenerChange]:
    """Listen for each route; on leaving, close all sockets and remove those that have a path.

    Raises:
        StartProblem: an address cannot be listened on; none stays open.
    """
    listeners = OpenListeners()
    try:
        yield listeners.change(routes, targets)
    finally:
        listeners.close()


def _key(target: ListenTarget, route: str, number: int) -> Hashable:
    """What makes a listener of one configuration the same as that of another."""
    bind = target.bind
    if isinstance(bind, TcpBind) and bind.name[1] == 0:  # another port each time
        return (bind, route, number)
    return bind


def open_listener(spec: ListenerSpec) -> OpenListener:
    """Listen.

    Raises:
        OSError: as bind(2) and listen(2); nothing stays open.
    """
    bind, backlog, timeout_s = spec.target.bind, spec.backlog, spec.tcp_user_timeout_s
    if isinstance(bind, UnixBind):
        sock, file = listen_unix(bind.path, backlog, spec.target.permissions)
        return OpenListener(sock, spec, file)
    if isinstance(bind, AbstractBind):
        return OpenListener(listen_abstract(bind.name, backlog), spec)
    if isinstance(bind, InheritedFd):
        return OpenListener(take_over(bind.fd, backlog, timeout_s), spec)
    if bind.family is None:
        return OpenListener(listen_everywhere(bind.name[1], backlog, timeout_s), spec)
    return OpenListener(listen_tcp(bind.family, bind.name, backlog, timeout_s), spec)
