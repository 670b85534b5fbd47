"""The TLS of a route: at its listeners, and with its backends."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.file_state import Signature
from spliceproxy.settings.dns import BackendPlace
from spliceproxy.settings.proxy import RouteSettings, Settings
from spliceproxy.settings.tls import TlsDial, TlsListen
from spliceproxy.tls.admin_tls import find_admin_mistakes
from spliceproxy.tls.certificate_files import (
    CertificateFacts,
    ClientFiles,
    ServerFiles,
    Watched,
    read_client_files,
    read_server_files,
)
from spliceproxy.tls.client_context import ClientContexts, ClientTls
from spliceproxy.tls.file_problem import TlsFileError
from spliceproxy.tls.hidden_keys import hide_before_keys, mirrors_of, uses_tls
from spliceproxy.tls.server_contexts import ServerTls, make_server_tls

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class RouteTlsFiles:
    """What a route's files hold."""

    listen: tuple[ServerFiles | None, ...]
    """Of each entry of `listen`; None: without TLS."""
    backends: tuple[ClientFiles | None, ...]
    """Likewise of `backends`."""
    mirrors: tuple[ClientFiles | None, ...]
    """Likewise of `mirrors`."""

    @property
    def facts(self) -> Iterator[CertificateFacts]:
        """What may be told of the certificates that are shown."""
        for server in filter(None, self.listen):
            yield from (certificate.facts for certificate in server.certificates)
        for client in filter(None, (*self.backends, *self.mirrors)):
            if client.certificate is not None:
                yield client.certificate.facts

    @property
    def contexts(self) -> int:
        """How many contexts are made of them, at most."""
        servers = sum(len(server.certificates) for server in filter(None, self.listen))
        return servers + sum(client is not None for client in (*self.backends, *self.mirrors))

    @property
    def watched(self) -> Iterator[tuple[str, Signature]]:
        """Files whose change is to cause a reload."""
        parts: list[ServerFiles | ClientFiles | None] = [*self.listen, *self.backends]
        for part in parts:
            if part is not None:
                yield from part.watched


@dataclass(frozen=True, slots=True)
class RouteTls:
    """What a route speaks TLS with."""

    listen: tuple[ServerTls | None, ...]
    """Of each entry of `listen`, or of each socket; None: without TLS."""
    backends: tuple[ClientTls | None, ...]
    """Of each entry of `backends`."""
    mirrors: tuple[ClientTls | None, ...]
    """Of each mirror."""
    certificates: tuple[CertificateFacts, ...]
    watched: Watched

    def of_sockets(self, entries: Iterable[int]) -> "RouteTls":
        """Return the same for sockets, of each of which it is known which entry it stands for."""
        return replace(self, listen=tuple(self.listen[entry] for entry in entries))

    def use_tickets(self, secret: bytes) -> None:
        """Give and take session tickets by a secret; only where `keys_can_be_set`."""
        for server in filter(None, self.listen):
            server.use_tickets(secret)


def read_files(route: RouteSettings, contexts: ClientContexts) -> RouteTlsFiles | None:
    """Read what a route's TLS settings name, and try it out; None: it has none. Blocks.

    Raises:
        StartProblem: something cannot be used.
    """
    if not uses_tls(route):
        return None
    listen: list[ServerFiles | None] = [None] * len(route.listen)
    backends: list[ClientFiles | None] = [None] * len(route.backends)
    for index, server in enumerate(route.listen):
        if server.tls is not None:
            with _told_of(route, "listen", index):
                listen[index] = read_server_files(server.tls)
    for index, backend in enumerate(route.backends):
        if backend.tls is not None:
            with _told_of(route, "backends", index):
                backends[index] = read_client_files(backend.tls)
    mirrors: list[ClientFiles | None] = [None] * len(route.mirrors)
    for index, (_, dial) in enumerate(mirrors_of(route)):
        if dial is not None:
            with _told_of(route, "mirrors", index):
                mirrors[index] = read_client_files(dial)
    files = RouteTlsFiles(tuple(listen), tuple(backends), tuple(mirrors))
    make_route_tls(route, files, contexts)
    return files


def make_route_tls(
    route: RouteSettings, files: RouteTlsFiles, contexts: ClientContexts
) -> RouteTls:
    """Return what a route speaks TLS with; `contexts` are those of all routes.

    Raises:
        StartProblem: OpenSSL refuses what was read.
        OSError: no file in memory is to be had.
    """
    listen: list[ServerTls | None] = [None] * len(route.listen)
    backends: list[ClientTls | None] = [None] * len(route.backends)
    for index, server in enumerate(route.listen):
        server_files = files.listen[index]
        if server.tls is not None and server_files is not None:
            with _told_of(route, "listen", index):
                place = f"{route.name} {server.address}"
                listen[index] = make_server_tls(server.tls, server_files, place, contexts.key_log)
    for index, backend in enumerate(route.backends):
        client_files = files.backends[index]
        if backend.tls is not None and client_files is not None:
            with _told_of(route, "backends", index):
                backends[index] = contexts.make(backend.tls, client_files, backend.address)
    mirrors: list[ClientTls | None] = [None] * len(route.mirrors)
    for index, (mirror, dial) in enumerate(mirrors_of(route)):
        client_files = files.mirrors[index]
        if dial is not None and client_files is not None and mirror.address is not None:
            with _told_of(route, "mirrors", index):
                mirrors[index] = contexts.make(dial, client_files, mirror.address)
    return RouteTls(
        tuple(listen),
        tuple(backends),
        tuple(mirrors),
        tuple(files.facts),
        tuple(files.watched),
    )


def find_mistakes(settings: Settings) -> Iterator[tuple[int | None, Path, str]]:
    """Look at all files; yield a route's number, the path within it, and a message. Blocks.

    What is of no route has no number, and a path from the root.

    Raises:
        StartProblem: see `hide_before_keys`.
    """
    hide_before_keys(settings)
    yield from find_admin_mistakes(settings)
    contexts = ClientContexts()
    for number, route in enumerate(settings.routes):
        for path, look in _looks(route, contexts):
            try:
                look()
            except TlsFileError as problem:
                yield number, (*path, *problem.path), problem.message


def _looks(
    route: RouteSettings, contexts: ClientContexts
) -> Iterable[tuple[Path, Callable[[], object]]]:
    for index, server in enumerate(route.listen):
        if server.tls is not None:
            yield ("listen", index, "tls"), partial(_look_at_server, server.tls)
    for index, backend in enumerate(route.backends):
        if backend.tls is not None:
            yield (
                ("backends", index, "tls"),
                partial(_look_at_peer, backend.tls, backend.address, contexts),
            )
    for index, (mirror, dial) in enumerate(mirrors_of(route)):
        if dial is not None and mirror.address is not None:
            look = partial(_look_at_peer, dial, mirror.address, contexts)
            yield ("mirrors", index), look


def _look_at_server(settings: TlsListen) -> None:
    make_server_tls(settings, read_server_files(settings))


def _look_at_peer(settings: TlsDial, address: BackendPlace, contexts: ClientContexts) -> None:
    contexts.make(settings, read_client_files(settings), address)


@contextmanager
def _told_of(route: RouteSettings, key: str, index: int) -> Iterator[None]:
    """Name the place of what cannot be used."""
    try:
        yield
    except TlsFileError as problem:
        what, _, remedy = problem.message.partition(": ")
        within = problem.path if key == "mirrors" else ("tls", *problem.path)
        place = ".".join(map(str, (f"{key}[{index}]", *within)))
        raise StartProblem(f"route {route.name!r}: {place}: {what}", remedy) from None
