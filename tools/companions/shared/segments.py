"""How many segments a TCP socket has sent: what corks, batches and Nagle's rule show in."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

_DATA_SEGMENTS_OUT_AT = 156  # struct tcp_info in linux/tcp.h: tcpi_data_segs_out, Linux 4.6


def data_segments(sock: socket.socket) -> int:
    """Return how many segments with data a socket has sent, retransmitted ones included.

    Large ones are counted as the segments that the network card will cut them into.
    """
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _DATA_SEGMENTS_OUT_AT + 4)
    return int(struct.unpack_from("I", info, _DATA_SEGMENTS_OUT_AT)[0])


@contextmanager
def corked(sock: socket.socket) -> Iterator[None]:
    """Hold back a partly filled segment for the length of the block, or 200 ms (tcp(7)).

    An error leaves the cork on: who goes on after one takes it off.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    yield
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
