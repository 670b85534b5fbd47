"""How many segments a TCP socket has sent: what corks, batches and Nagle's rule show in."""

import socket
import struct

_DATA_SEGMENTS_OUT_AT = 156  # struct tcp_info in linux/tcp.h: tcpi_data_segs_out, Linux 4.6


def data_segments(sock: socket.socket) -> int:
    """Return how many segments with data a socket has sent, retransmitted ones included.

    Large ones are counted as the segments that the network card will cut them into.
    """
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _DATA_SEGMENTS_OUT_AT + 4)
    return int(struct.unpack_from("I", info, _DATA_SEGMENTS_OUT_AT)[0])
