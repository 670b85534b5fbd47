"""The connections of a process, as the kernel lists them."""

import os
import socket

from spliceproxy.kernel.addresses import name_peer
from spliceproxy.kernel.open_connections import OpenConnection, open_connections


def test_only_connected_sockets_are_connections() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as listener6,
        socket.socket() as bound,
        socket.create_connection(listener.getsockname()) as client,
        socket.create_connection(listener6.getsockname()[:2]) as client6,
    ):
        bound.bind(("127.0.0.1", 0))
        accepted, _ = listener.accept()
        with accepted:
            found = open_connections(os.getpid())
            for sock in (client, accepted, client6):
                local, remote = sock.getsockname(), sock.getpeername()
                assert OpenConnection(name_peer(local), name_peer(remote)) in found
            own = {name_peer(sock.getsockname()) for sock in (listener, listener6, bound)}
            lost = [each for each in found if each.local in own]
            # The server's ends have the listener's address, too.
            assert all(not each.remote.endswith(":0") for each in lost)
            assert len(lost) == 1
