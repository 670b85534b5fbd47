"""Where a stream to be split comes from, and opening the places where it goes."""

import fcntl
import os
import select
import socket
import sys
from contextlib import ExitStack

from spliceproxy.errors import StartProblem, UsageProblem, quote
from spliceproxy.kernel import syscalls
from spliceproxy.kernel.pipes import FULL_CAPACITY_BYTES, Pipe
from spliceproxy.kernel.sockets import prepare_stream
from spliceproxy.settings.address import TcpAddress, parse_tcp
from tools.companions.shared.serving import announce, open_listeners
from tools.companions.shared.steps import fill
from tools.companions.split.splitter import Take, Target

TCP_PREFIX = "tcp://"
STANDARD_OUTPUT = "-"
CONNECT_TIMEOUT_S = 10.0


def take_standard_input(pipe: Pipe, limit_bytes: int) -> int:
    """Splice from standard input: a pipe, a file or a socket.

    Raises:
        StartProblem: it is something that cannot be spliced.
    """
    select.select([sys.stdin.fileno()], [], [])
    try:
        return syscalls.splice(sys.stdin.fileno(), pipe.write_fd, limit_bytes)
    except OSError as error:
        raise StartProblem(
            f"standard input cannot be spliced: {error.strerror}", "put 'cat |' before split"
        ) from None


def accept_one(address: TcpAddress, stack: ExitStack) -> Take:
    """Wait for a connection, and return what takes its stream; the stack closes it.

    Raises:
        StartProblem: the address cannot be listened on.
    """
    listeners = open_listeners(address)
    try:
        announce(listeners, sys.stderr)  # standard output may be a target
        ready, _, _ = select.select(listeners, [], [])
        sock, _peer = ready[0].accept()
    finally:
        for listener in listeners:
            listener.close()
    stack.callback(sock.close)
    sock.setblocking(False)

    def take(pipe: Pipe, limit_bytes: int) -> int:
        while True:
            select.select([sock], [], [])
            try:
                return fill(pipe, sock, limit_bytes)
            except BlockingIOError:
                continue

    return take


def open_target(name: str, stack: ExitStack) -> tuple[Target, socket.socket | None]:
    """Open a file, a connection or standard output, as a name says; the stack closes it.

    Raises:
        UsageProblem: the name makes no sense, or standard output appends.
        StartProblem: it cannot be opened, or connected to.
    """
    sock = None
    try:
        if name == STANDARD_OUTPUT:
            fd = _standard_output()
        elif name.startswith(TCP_PREFIX):
            sock = _connect(parse_tcp(name.removeprefix(TCP_PREFIX)))
            stack.callback(sock.close)
            fd = sock.fileno()
        else:
            fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            stack.callback(os.close, fd)
        pipe = Pipe(FULL_CAPACITY_BYTES)
    except ValueError as error:
        raise UsageProblem(str(error), "see --help") from None
    except OSError as error:
        problem = f"cannot open {quote(name)}: {error.strerror or error}"
        raise StartProblem(problem, "leave it out, or repair it") from None
    stack.callback(pipe.close)
    os.set_blocking(pipe.read_fd, True)  # else a pipe as standard output is not waited for
    return Target(name, fd, pipe), sock


def _standard_output() -> int:
    fd = sys.stdout.fileno()
    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND:
        raise UsageProblem("splice refuses a file in append mode (EINVAL)", "use > instead of >>")
    return fd


def _connect(address: TcpAddress) -> socket.socket:
    sock = socket.create_connection((address.host, address.port), CONNECT_TIMEOUT_S)
    sock.settimeout(None)
    prepare_stream(sock, 0.0)  # ends in a reset, unless all has been delivered
    return sock
