"""Opening the sockets of the admin process."""

import contextlib
import grp
import os
import pwd
import socket
from collections.abc import Iterable, Iterator

from spliceproxy.admin.guard import Guard
from spliceproxy.admin.process import AnyDoor
from spliceproxy.admin.roles import CertificateRoles, Operators
from spliceproxy.admin.server import Door
from spliceproxy.admin.stats_socket.server import StatsDoor
from spliceproxy.errors import StartProblem, quote
from spliceproxy.kernel.inherited import InheritedSockets
from spliceproxy.master.listen_targets import ListenTarget, find_targets, refusal
from spliceproxy.master.missing_addresses import open_available
from spliceproxy.master.open_listeners import ListenerSpec, open_listener
from spliceproxy.settings.admin import AdminSettings
from spliceproxy.settings.admin_access import GROUP_PREFIX
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.proxy import Settings
from spliceproxy.tls.admin_tls import AdminFiles, make_admin_tls
from spliceproxy.tls.ticket_keys import keep_no_sessions, keys_can_be_set

_BACKLOG = 64


@contextlib.contextmanager
def open_doors(
    settings: Settings, inherited: InheritedSockets, tls: AdminFiles
) -> Iterator[list[AnyDoor]]:
    """Listen for clients of the admin process; on leaving, close and remove the sockets.

    Raises:
        StartProblem: an address cannot be listened on, or OpenSSL refuses a certificate; none stays
            open.
    """
    with contextlib.ExitStack() as on_exit:

        def open_one(target: ListenTarget) -> socket.socket:
            listener = open_listener(ListenerSpec(target, _BACKLOG, 0.0))
            on_exit.callback(listener.close)
            return listener.sock

        def listen_at(where: ListenSettings) -> list[socket.socket]:
            return open_available(find_targets(where, inherited), open_one, refusal)

        operators = _find_operators(settings.admin.operators)
        doors: list[AnyDoor] = [
            _door(sock, where, settings.admin, operators)
            for where in settings.admin.listen
            for sock in listen_at(where)
        ]
        renew_tls(doors, settings.admin, tls)
        if settings.stats_socket is not None:
            doors += [StatsDoor(sock, operators) for sock in listen_at(settings.stats_socket)]
        yield doors


def renew_tls(doors: Iterable[AnyDoor], admin: AdminSettings, files: AdminFiles) -> bool:
    """Have doors speak TLS with what was read of files; return whether that is anything new.

    Of settings that have changed those hold that the doors were opened by.

    Raises:
        StartProblem: OpenSSL refuses a certificate.
        OSError: no file in memory is to be had.
    """
    made = make_admin_tls(admin, files)
    is_new = False
    for door in doors:
        if isinstance(door, Door) and door.where is not None and door.where in admin.listen:
            entry = admin.listen.index(door.where)
            tls = made[entry]
            if tls is not None and files[entry] != door.files:
                if keys_can_be_set():
                    keep_no_sessions(tls.context)
                door.tls, door.files = tls.context, files[entry]
                is_new = True
    return is_new


def _door(
    sock: socket.socket, where: ListenSettings, admin: AdminSettings, operators: Operators
) -> Door:
    grants = tuple(grant.resolved() for grant in admin.attach)
    if sock.family == socket.AF_UNIX:
        guard = Guard(admin.token, admin.viewer_token, operators)
        return Door(sock, guard, attach=grants, where=where)
    is_open = where.address in admin.open_addresses
    if os.geteuid() == 0 and is_open and not admin.has_token and not admin.insecure:
        raise StartProblem(
            f"--admin: {where.address} needs a token, as this runs as root and every user of the "
            "machine can connect there",
            "set SPLICEPROXY_ADMIN_TOKEN or `token` of `admin` (openssl rand -hex 16), use "
            "unix:PATH, or let everybody look, and nobody give orders: --admin-insecure, or "
            "`insecure: true`",
        )
    guard = Guard(admin.token, admin.viewer_token, certificates=_certificates(where, admin))
    return Door(sock, guard, attach=grants, where=where)


def _certificates(where: ListenSettings, admin: AdminSettings) -> CertificateRoles | None:
    if where.tls is None:
        return None
    return CertificateRoles(where.tls.clients, admin.certificate_operators, where.tls.asks_clients)


def _find_operators(names: Iterable[str]) -> Operators:
    """Look users and groups up.

    Raises:
        StartProblem: there is none of that name.
    """
    uids, gids = set(), set()
    for name in names:
        account = name.removeprefix(GROUP_PREFIX)
        try:
            if account == name:
                uids.add(int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid)
            else:
                gids.add(int(account) if account.isdecimal() else grp.getgrnam(account).gr_gid)
        except KeyError:
            raise StartProblem(
                f"admin: operators: {quote(name)} is not known",
                "expected a user, or a group behind group:, that this machine has, or a number",
            ) from None
    return Operators(frozenset(uids), frozenset(gids))
