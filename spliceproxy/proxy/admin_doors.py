"""Opening the sockets of the admin interface."""

import contextlib
import socket
from collections.abc import Iterator

from spliceproxy.admin.guard import Guard
from spliceproxy.admin.server import Door
from spliceproxy.kernel.inherited import InheritedSockets
from spliceproxy.proxy.listening import OpenListener, Wanted, open_listener
from spliceproxy.proxy.places import find_places, refusal
from spliceproxy.settings.admin import AdminSettings

_BACKLOG = 64


@contextlib.contextmanager
def open_doors(settings: AdminSettings, inherited: InheritedSockets) -> Iterator[list[Door]]:
    """Listen for clients of the admin interface; on leaving, close and remove the sockets.

    Raises:
        StartProblem: an address cannot be listened on; none stays open.
    """
    with contextlib.ExitStack() as on_exit:
        listeners: list[OpenListener] = []
        for listen in settings.listen:
            for place in find_places(listen, inherited):
                try:
                    listener = open_listener(Wanted(place, _BACKLOG, 0.0))
                except OSError as error:
                    raise refusal(place, error) from error
                on_exit.callback(listener.close)
                listeners.append(listener)
        yield [_door(listener.sock, settings.token) for listener in listeners]


def _door(sock: socket.socket, token: str | None) -> Door:
    host = None if sock.family == socket.AF_UNIX else str(sock.getsockname()[0])
    return Door(sock, Guard(token, host))
