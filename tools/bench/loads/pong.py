"""A server that answers the first bytes of each connection, then holds it until the peer leaves.

Started as a program: python -m tools.bench.loads.pong PORT
"""

import selectors
import socket
import sys

from tools.bench import ports

ANSWER = b"+PONG\r\n"


def serve(port: int) -> None:
    with selectors.EpollSelector() as selector, socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ports.HOST, port))
        listener.listen(4096)
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _events in selector.select():
                if key.fileobj is listener:
                    connection, _address = listener.accept()
                    selector.register(connection, selectors.EVENT_READ)
                elif isinstance(key.fileobj, socket.socket):
                    _answer(selector, key.fileobj)


def _answer(selector: selectors.BaseSelector, connection: socket.socket) -> None:
    try:
        if connection.recv(1024):
            connection.sendall(ANSWER)
            return
    except ConnectionError:
        pass
    selector.unregister(connection)
    connection.close()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
