"""A client that asks with one byte, reads the answer to its end, and asks again.

Started as a program: python -m tools.bench.loads.asker PORT
It listens, so that one of it serves all rounds: whoever connects says in 8 bytes how long its
answers are, and is asked from then on.
"""

import socket
import struct
import sys

from tools.bench import ports

ANSWER_LENGTH = struct.Struct("!Q")
_READ_BYTES = 1 << 20


def serve(port: int) -> None:
    buffer = bytearray(_READ_BYTES)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((ports.HOST, port))
        listener.listen()
        while True:
            connection, _address = listener.accept()
            with connection:
                _ask(connection, buffer)


def _ask(connection: socket.socket, buffer: bytearray) -> None:
    try:
        head = connection.recv(ANSWER_LENGTH.size, socket.MSG_WAITALL)
        if len(head) < ANSWER_LENGTH.size:
            return
        (answer_bytes,) = ANSWER_LENGTH.unpack(head)
        while True:
            connection.send(b"?")
            left_bytes = answer_bytes
            while left_bytes:
                count = connection.recv_into(buffer, min(left_bytes, len(buffer)))
                if not count:
                    return
                left_bytes -= count
    except ConnectionError:
        return


if __name__ == "__main__":
    serve(int(sys.argv[1]))
