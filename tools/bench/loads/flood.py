"""A source that sends to every connection, one after the other, for as long as it is read.

Started as a program: python -m tools.bench.loads.flood PORT
It shares a CPU with the sink, so it sends by reference: the same MiB of memory, by sendfile.
"""

import os
import socket
import sys

from tools.bench import ports

BLOCK_BYTES = 1 << 20


def serve(port: int) -> None:
    block = os.memfd_create("flood")
    os.write(block, os.urandom(BLOCK_BYTES))
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, ports.CONGESTION_CONTROL)
        listener.bind((ports.HOST, port))
        listener.listen()
        while True:
            connection, _address = listener.accept()
            with connection:
                _send_for_ever(connection.fileno(), block)


def _send_for_ever(connection_fd: int, block_fd: int) -> None:
    try:
        while True:
            os.sendfile(connection_fd, block_fd, 0, BLOCK_BYTES)
    except ConnectionError:
        return


if __name__ == "__main__":
    serve(int(sys.argv[1]))
