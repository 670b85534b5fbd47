"""One check of one backend: connect, and see what it says."""

import errno

import trio

from spliceproxy import reasons
from spliceproxy.errors import quote
from spliceproxy.kernel import syscalls
from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.kernel.sockets import Socket, bind_source, finish_cleanly, prepare_stream
from spliceproxy.settings.health import HealthCheckSettings
from spliceproxy.upstream.backend import Backend

CHECK_TIMEOUT = "check_timeout"
CLOSED_EARLY = "closed_before_answer"


async def probe(backend: Backend, check: HealthCheckSettings) -> str:
    """Return why a backend fails its check, or nothing if it passes at one of its addresses."""
    error = "no_backend_address"
    for target in backend.targets():
        error = CHECK_TIMEOUT
        with trio.move_on_after(check.timeout_s):
            error = await _probe(target, backend, check)
        if not error:
            break
    return error


async def _probe(target: SocketAddress, backend: Backend, check: HealthCheckSettings) -> str:
    try:
        sock = syscalls.open_socket(target.family)
    except OSError as error:
        return reasons.name_error("backend", error.errno or 0)
    try:
        prepare_stream(sock, 0.0)
        if backend.settings.source is not None:
            bind_source(sock, backend.settings.source)
        await _connect(sock, target)
        await _send(sock, _greeting(backend) + check.send)
        return await _expect(sock, check.expect)
    except OSError as error:
        return reasons.name_error("backend", error.errno or 0)
    finally:
        sock.close()


def _greeting(backend: Backend) -> bytes:
    """Return the header of a connection that is the proxy's own, where the backend wants one."""
    return b"" if backend.header is None else backend.header(None, None)


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
        try:
            chunk = sock.recv(len(expected) - len(received))
        except BlockingIOError:
            await trio.lowlevel.wait_readable(sock.fileno())
            continue
        if not chunk:
            return CLOSED_EARLY
        received += chunk
        if not expected.startswith(received):
            text = received.decode("ascii", "backslashreplace")
            return f"unexpected_answer {quote(text)}"
    if expected:
        finish_cleanly(sock)  # after a bare connect a reset does: it leaves no TIME_WAIT behind
    return ""
