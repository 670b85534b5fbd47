"""Sockets that splice(2) takes nothing from, though epoll says readable and a read finds data.

At an urgent mark splice says EAGAIN for ever; with a FIN behind the mark it says 0, a false end. A
real read steps over the mark, and tells a true end from it (tcp_read_sock against tcp_recvmsg,
net/ipv4/tcp.c). What follows the mark can be spliced again.

A starved one is a socket that an eBPF agent has put into a sockmap, with a program that passes what
arrives: that waits in a queue of the map's, where recvmsg(2) looks and splice does not
(tcp_bpf_recvmsg, net/ipv4/tcp_bpf.c; seen by experiment on Linux 6.18). It will never be spliced.
"""

import errno
import os

from spliceproxy.kernel import syscalls
from spliceproxy.kernel.sockets import Socket

REFUSALS = frozenset({errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP})
"""Of splice: not for this descriptor, this kernel, or inside this sandbox."""

STOPS_IN_A_ROW = 3
"""When splice has stopped so often, with one byte read between two stops and nothing else, it is
asked whether it starves. It is less than the small messages after which a tapped flow copies."""


STARVED_REMEDY = "have eBPF agents (sockmap) leave the proxy's sockets alone; it copies until then"


class SpliceStarvedError(OSError):
    """Splice finds nothing of what a read does."""

    def __init__(self) -> None:
        super().__init__(errno.EAGAIN, os.strerror(errno.EAGAIN))


def is_starved(sock: Socket) -> bool:
    """Whether there is data to be read now, and no urgent mark that splice stops at."""
    try:
        return not syscalls.is_at_mark(sock) and bool(syscalls.peek(sock, 1))
    except OSError:  # nothing there, or an error, which the read that follows tells
        return False
