"""LoaderProcess a configuration, with all that has to be looked up for it; also in a child process.

Files and names can block for as long as they like. The master must not: so a reload is prepared by
a process of its own, which hands the result back.
"""

import contextlib
import pickle
import signal
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from spliceproxy.errors import Problem, RefusedFile
from spliceproxy.kernel.credentials import Identity, acting_as, make_directories
from spliceproxy.kernel.hidden_memory import hide_memory
from spliceproxy.kernel.inherited import InheritedSockets
from spliceproxy.kernel.real_path import real_path
from spliceproxy.master.child import fork_child
from spliceproxy.master.listen_targets import ListenTarget, look_up_targets
from spliceproxy.master.sample_keys import read_sample_key
from spliceproxy.observe.logs import Logs
from spliceproxy.proxy.prepared import Upstreams, look_up
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.settings.proxy import Settings
from spliceproxy.sinks.checks import directories_of, report_left_behind
from spliceproxy.tls.admin_tls import AdminFiles, read_admin_files
from spliceproxy.tls.client_context import ClientContexts
from spliceproxy.tls.hidden_keys import has_keys, hide_before_keys
from spliceproxy.tls.route_tls import RouteTlsFiles, read_files

LOAD_TIMEOUT_S = 60.0  # twelve names whose servers are all silent, at 5 s each (resolv.conf(5))
_LAST_LINES_S = 1.0
_DEATH_S = 0.5
_MAX_RESULT_BYTES = 64 << 20
_READ_BYTES = 1 << 20
_SECRET, _PLAIN = b"s", b"p"
"""The first byte of a result: whether there are keys in it."""


@dataclass(frozen=True, slots=True)
class LoadedConfiguration:
    """A configuration that may be put into effect, with all that its names stand for."""

    settings: Settings
    upstreams: list[Upstreams]
    targets: list[list[ListenTarget]]
    tls: list[RouteTlsFiles | None] = field(repr=False)
    """Of each route."""
    admin_tls: AdminFiles = field(repr=False)
    sample_key: bytes | None = field(default=None, repr=False)
    """Of the settings, if they have one."""

    @property
    def listeners(self) -> int:
        """How many sockets it listens on, at most."""
        return sum(map(len, self.targets))

    @property
    def key_logs(self) -> int:
        """How many descriptors `tls_key_log` takes, at most: each context opens the file anew."""
        if self.settings.tls_key_log is None:
            return 0
        return sum(files.contexts for files in self.tls if files is not None)


class ReloadRefused(Exception):  # noqa: N818 - it is the user's to solve
    """The new configuration is not put into effect; the old one stays."""

    def __init__(self, reason: str, mistakes: tuple[str, ...] = ()) -> None:
        super().__init__(reason, mistakes)
        self.reason = reason
        self.mistakes = mistakes
        """One by one, each with its place in the file."""


def load_configuration(
    source: Callable[[], Settings],
    inherited: InheritedSockets,
    used_directories: Iterable[str] = (),
    identity: Identity | None = None,
) -> LoadedConfiguration:
    """Read the settings and look up what they name. Blocks.

    Files that a crash has left in a mirror's directory are told of, unless it is one of those
    that workers write into now. With an identity, mirrors are looked at as that user, whom new
    directories are made for.

    Raises:
        Problem: the file is refused, a name does not resolve, a mirror cannot work, or a file with
            a key or certificate cannot be used.
    """
    settings = source()
    sample_key = read_sample_key(settings.sample_key)
    contexts = ClientContexts()
    tls = [read_files(route, contexts) for route in settings.routes]
    admin_tls = read_admin_files(settings.admin)
    targets = look_up_targets(settings.routes, inherited)
    mirrors = [mirror for route in settings.routes for mirror in route.mirrors]
    if identity is not None:
        make_directories(directories_of(mirrors), identity)
    used = {real_path(directory) for directory in used_directories}
    with acting_as(identity):
        loaded = LoadedConfiguration(
            settings, look_up(settings), targets, tls, admin_tls, sample_key
        )
        report_left_behind(mirror for mirror in mirrors if not _is_used(mirror, used))
    return loaded


def load_hidden(
    source: Callable[[], Settings],
    inherited: InheritedSockets,
    used_directories: Iterable[str] = (),
    identity: Identity | None = None,
) -> LoadedConfiguration:
    """Do the same in a process of the proxy's own, which keeps to itself what keys it reads.

    Raises:
        Problem: see `load_configuration` and `hide_before_keys`.
    """

    def read() -> Settings:
        settings = source()
        hide_before_keys(settings)
        return settings

    return load_configuration(read, inherited, used_directories, identity)


def _holds_keys(content: LoadedConfiguration | ReloadRefused) -> bool:
    return isinstance(content, LoadedConfiguration) and has_keys(content.settings)


def _is_used(mirror: MirrorSettings, directories: set[str]) -> bool:
    return real_path(mirror.target) in directories


class LoaderProcess:
    """A child that loads a configuration."""

    def __init__(
        self, load: Callable[[], LoadedConfiguration], logs: Logs, forget: Callable[[], None]
    ) -> None:
        def body(result: socket.socket) -> int:
            forget()
            content: LoadedConfiguration | ReloadRefused
            try:
                content = load()
            except RefusedFile as problem:
                content = ReloadRefused(str(problem), problem.mistakes)
            except Problem as problem:
                content = ReloadRefused(str(problem))
            with contextlib.suppress(BrokenPipeError):  # the master is gone
                result.sendall(_SECRET if _holds_keys(content) else _PLAIN)
                result.sendall(pickle.dumps(content))
            logs.close(_LAST_LINES_S)
            return 0

        self._child = fork_child(0, body, socket.SOCK_STREAM)
        self._child.orders.setblocking(False)
        self._received = bytearray()
        self._has_begun = False
        self._is_over = False
        self.deadline_s = time.monotonic() + LOAD_TIMEOUT_S

    def descriptors(self) -> list[int]:
        """What to poll for."""
        return [self._child.orders.fileno()]

    def tend(self) -> LoadedConfiguration | None:
        """Return the configuration when it is there.

        Raises:
            ReloadRefused: it will not come.
        """
        try:
            if not self._has_begun:
                self._begin(self._child.orders.recv(1))
            while chunk := self._child.orders.recv(_READ_BYTES):
                self._received += chunk
                if len(self._received) > _MAX_RESULT_BYTES:
                    self.stop()
                    raise ReloadRefused("the configuration is too large")
        except BlockingIOError:
            if time.monotonic() < self.deadline_s:
                return None
            self.stop()
            raise ReloadRefused(
                f"names and files were not looked up within {LOAD_TIMEOUT_S:g} s"
            ) from None
        except ConnectionResetError:
            pass
        return self._finish()

    def _begin(self, first: bytes) -> None:
        """Hide this process's memory before there are keys in it."""
        self._has_begun = True
        if first == _SECRET:
            hide_memory()

    def _finish(self) -> LoadedConfiguration:
        # It has closed its end, and exits.
        self._is_over = True
        status = self._child.reap()
        if status:
            what = signal.Signals(-status).name if status < 0 else f"status {status}"
            raise ReloadRefused(f"the process that loads the configuration has died ({what})")
        content = pickle.loads(self._received)  # noqa: S301 - our own child's, over a socket pair
        if isinstance(content, ReloadRefused):
            raise content
        assert isinstance(content, LoadedConfiguration)  # noqa: S101 - there is no third kind
        return content

    def forget(self) -> None:
        """In another child: close what stands for this one."""
        self._child.forget()

    def stop(self) -> None:
        """End it unless it has ended, and bury it if it dies at once.

        A disk that hangs can hold up even SIGKILL. Such a process is left to whoever inherits the
        master's children.
        """
        if self._is_over:
            return
        self._is_over = True
        self._child.send(signal.SIGKILL)
        if self._child.has_ended(_DEATH_S):
            self._child.reap()
        else:
            self._child.forget()
