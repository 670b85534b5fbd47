"""Opening the sockets of the admin process."""

import contextlib
import socket
from collections.abc import Iterator

from spliceproxy.admin.guard import Guard
from spliceproxy.admin.process import AnyDoor
from spliceproxy.admin.server import Door
from spliceproxy.admin.stats_socket.server import StatsDoor
from spliceproxy.kernel.inherited import InheritedSockets
from spliceproxy.master.listen_targets import find_targets, refusal
from spliceproxy.master.open_listeners import ListenerSpec, open_listener
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

        def listen_at(where: ListenSettings) -> Iterator[socket.socket]:
            for target in find_targets(where, inherited):
                try:
                    listener = open_listener(ListenerSpec(target, _BACKLOG, 0.0))
                except OSError as error:
                    raise refusal(target, error) from error
                on_exit.callback(listener.close)
                yield listener.sock

        doors: list[AnyDoor] = [
            _door(sock, settings.admin.token)
            for where in settings.admin.listen
            for sock in listen_at(where)
        ]
        if settings.stats_socket is not None:
            doors += map(StatsDoor, listen_at(settings.stats_socket))
        yield doors


def _door(sock: socket.socket, token: str | None) -> Door:
    host = None if sock.family == socket.AF_UNIX else str(sock.getsockname()[0])
    return Door(sock, Guard(token, host))
