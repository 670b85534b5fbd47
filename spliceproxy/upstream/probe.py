"""One check of one backend: connect, and see what it says."""

import errno
import select
import socket
from contextlib import closing, suppress

import trio

from spliceproxy import reasons
from spliceproxy.errors import quote
from spliceproxy.formats.proxy_protocol.header import ProxiedClient
from spliceproxy.formats.starttls.negotiation import StartTlsError
from spliceproxy.kernel import syscalls
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import Socket, bind_source, finish_cleanly, prepare_stream
from spliceproxy.settings.health import HealthCheckSettings
from spliceproxy.tls.tls_errors import TlsError
from spliceproxy.tls.tls_socket import TlsSocket
from spliceproxy.upstream.asking_probe import ask_for_tls
from spliceproxy.upstream.backend import Backend

CHECK_TIMEOUT = "check_timeout"
CLOSED_EARLY = "closed_before_answer"

_LATE_S = 0.5  # far above what a busy worker takes to come round
_DRAIN_S = 0.25  # a backend that reads the end of the stream closes within a round trip
_DRAIN_BYTES = 1 << 16


async def probe(backend: Backend, check: HealthCheckSettings) -> str:
    """Return why a backend fails its check, or nothing if it passes at one of its addresses.

    One of `reasons.OWN` where this machine could not find out.
    """
    error = reasons.NO_BACKEND_ADDRESS
    for target in backend.targets_of_check():
        found = await _probe(target, backend, check)
        backend.note(target, found)
        if not found:
            return ""
        error = reasons.outweigh(error, found)
    return error


async def _probe(target: SocketAddress, backend: Backend, check: HealthCheckSettings) -> str:
    try:
        sock = _open(target, backend, check)
    except OSError as error:
        return reasons.name_socket_error(error.errno or 0)
    with closing(sock):
        verdict = CHECK_TIMEOUT
        with trio.move_on_after(check.timeout_s) as scope:
            verdict = await _ask(sock, target, backend, check)
        if scope.cancelled_caught and trio.current_time() - scope.deadline > _LATE_S:
            verdict = reasons.NO_CPU_TIME
        if check.close == "fin":
            await _say_goodbye(sock)
    return verdict


def _open(target: SocketAddress, backend: Backend, check: HealthCheckSettings) -> Socket:
    sock = syscalls.open_socket(target.family)
    try:
        prepare_stream(sock, 0.0)
        if check.close == "fin":
            finish_cleanly(sock)
        if backend.settings.source is not None:
            bind_source(sock, backend.settings.source)
        return sock if backend.tls is None else backend.tls.wrap(sock)
    except BaseException:
        sock.close()
        raise


async def _ask(
    sock: Socket, target: SocketAddress, backend: Backend, check: HealthCheckSettings
) -> str:
    try:
        await _connect(sock, target)
        if isinstance(sock, TlsSocket):
            sock.send_before_tls(_greeting(backend))
            if backend.tls is not None and backend.tls.start_tls is not None:
                await ask_for_tls(sock, backend.tls.start_tls.with_backend())
            await _shake_hands(sock)
            await _send(sock, check.send)
        else:
            await _send(sock, _greeting(backend) + check.send)
        return await _expect(sock, check.expect)
    except StartTlsError as error:
        return f"{error.why} {quote(str(error))}"
    except TlsError as error:
        return f"backend_{error.name} {quote(error.detail)}"
    except OSError as error:
        return reasons.name_error("backend", error.errno or 0)


def _greeting(backend: Backend) -> bytes:
    """Return the header of a connection that is the proxy's own, where the backend wants one."""
    return b"" if backend.header is None else backend.header(ProxiedClient(None, None))


async def _connect(sock: Socket, target: SocketAddress) -> None:
    while error := syscalls.connect(sock, target.sockaddr):
        if error == errno.EISCONN:
            break
        if error == errno.EAGAIN:  # a unix socket whose backlog is full: connect(2)
            await trio.sleep(0.01)
        elif error in (errno.EINPROGRESS, errno.EALREADY):
            await trio.lowlevel.wait_writable(sock.fileno())
        else:
            raise OSError(error, "connect")
    if target.is_own(sock):
        raise OSError(errno.ECONNREFUSED, "connected to itself")


async def _shake_hands(sock: TlsSocket) -> None:
    while events := sock.advance():
        if events & select.EPOLLOUT:
            await trio.lowlevel.wait_writable(sock.fileno())
            sock.flush()
        else:
            await trio.lowlevel.wait_readable(sock.fileno())


async def _send(sock: Socket, data: bytes) -> None:
    while data:
        try:
            data = data[syscalls.send(sock, data) :]
        except BlockingIOError:
            await trio.lowlevel.wait_writable(sock.fileno())


async def _expect(sock: Socket, expected: bytes) -> str:
    """Read until the answer is as long as what is expected, or differs from it."""
    received = b""
    while len(received) < len(expected):
        chunk = await _receive(sock, len(expected) - len(received))
        if not chunk:
            return CLOSED_EARLY
        received += chunk[: len(expected) - len(received)]  # by TLS it may be more
        if not expected.startswith(received):
            text = received.decode("ascii", "backslashreplace")
            return f"unexpected_answer {quote(text)}"
    return ""


async def _receive(sock: Socket, most: int) -> bytes:
    while True:
        try:
            return sock.recv(most)
        except BlockingIOError:
            await trio.lowlevel.wait_readable(sock.fileno())


async def _say_goodbye(sock: Socket) -> None:
    """End the stream, and read what is left of the answer.

    A close with unread bytes would be a reset (tcp(7)), which servers log as an error. The
    verdict stands by now, so a peer that has gone, or goes on sending, is no matter.
    """
    with suppress(OSError), trio.move_on_after(_DRAIN_S):
        sock.shutdown(socket.SHUT_WR)
        left = _DRAIN_BYTES
        while left > 0 and (chunk := await _receive(sock, left)):
            left -= len(chunk)
