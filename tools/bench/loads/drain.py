"""A sink that throws away what it gets, without copying it out of the kernel.

Started as a program: python -m tools.bench.loads.drain PORT
It shares a CPU with the load, whereas a real one is on another machine: so it takes as little as
it can. With MSG_TRUNC the kernel drops the bytes where they are, and small messages are left to
gather for a moment; they would otherwise wake it up one by one. For 1.5 GB it used 20 ms of CPU,
as much as socat, whose small messages do not gather.
"""

import selectors
import socket
import sys
import time

from tools.bench import ports

READ_BYTES = 16 << 20
PAUSE_S = 0.001
SMALL_BYTES = 16 << 10  # a bulk transfer brings more than this at each look, and is not paused


def serve(port: int) -> None:
    untouched = bytearray(READ_BYTES)
    with selectors.EpollSelector() as selector, socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ports.HOST, port))
        listener.listen(4096)
        selector.register(listener, selectors.EVENT_READ)
        while True:
            drained = 0
            for key, _events in selector.select():
                if key.fileobj is listener:
                    connection, _address = listener.accept()
                    selector.register(connection, selectors.EVENT_READ)
                elif isinstance(key.fileobj, socket.socket):
                    drained += _drain(selector, key.fileobj, untouched)
            if drained < SMALL_BYTES:
                time.sleep(PAUSE_S)


def _drain(selector: selectors.BaseSelector, connection: socket.socket, buffer: bytearray) -> int:
    try:
        count = connection.recv_into(buffer, READ_BYTES, socket.MSG_TRUNC | socket.MSG_DONTWAIT)
    except ConnectionError:
        count = 0
    if not count:
        selector.unregister(connection)
        connection.close()
    return count


if __name__ == "__main__":
    serve(int(sys.argv[1]))
