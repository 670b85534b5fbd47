"""Opening the sockets of the admin process."""

import contextlib
import grp
import os
import pwd
import socket
from collections.abc import Iterable, Iterator

from spliceproxy.admin.guard import Guard
from spliceproxy.admin.process import AnyDoor
from spliceproxy.admin.roles import Operators
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

_BACKLOG = 64


@contextlib.contextmanager
def open_doors(settings: Settings, inherited: InheritedSockets) -> Iterator[list[AnyDoor]]:
    """Listen for clients of the admin process; on leaving, close and remove the sockets.

    Raises:
        StartProblem: an address cannot be listened on; none stays open.
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
        if settings.stats_socket is not None:
            doors += [StatsDoor(sock, operators) for sock in listen_at(settings.stats_socket)]
        yield doors


def _door(
    sock: socket.socket, where: ListenSettings, admin: AdminSettings, operators: Operators
) -> Door:
    grants = tuple(grant.resolved() for grant in admin.attach)
    if sock.family == socket.AF_UNIX:
        return Door(sock, Guard(admin.token, admin.viewer_token, operators), grants)
    if os.geteuid() == 0 and not admin.has_token and not admin.insecure:
        raise StartProblem(
            f"--admin: {where.address} needs a token, as this runs as root and every user of the "
            "machine can connect there",
            "set SPLICEPROXY_ADMIN_TOKEN or `token` of `admin` (openssl rand -hex 16), use "
            "unix:PATH, or let everybody look, and nobody give orders: --admin-insecure, or "
            "`insecure: true`",
        )
    return Door(sock, Guard(admin.token, admin.viewer_token), grants)


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
