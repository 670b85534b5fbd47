"""An admin server in the test's own process, and the plainest of clients."""

import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import h11
import trio

from spliceproxy.admin.guard import Guard
from spliceproxy.admin.roles import Operators
from spliceproxy.admin.server import Door, Handle, Server

UNIX = Guard(operators=Operators())


@asynccontextmanager
async def serving(
    path: Path, handle: Handle, guard: Guard = UNIX, *more: Path
) -> AsyncIterator[None]:
    """Serve on a unix socket, or on several."""
    with ExitStack() as on_exit:
        doors = []
        for each in (path, *more):
            sock = on_exit.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            sock.bind(str(each))
            sock.listen(16)
            sock.setblocking(False)
            doors.append(Door(sock, guard))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Server(doors, handle).run)
            yield
            nursery.cancel_scope.cancel()


async def exchange(path: Path, sent: bytes) -> bytes:
    """Send bytes and the end, and return all that comes back."""
    async with await trio.open_unix_socket(path) as stream:
        await stream.send_all(sent)
        await stream.send_eof()
        received = b""
        with trio.fail_after(10):
            async for data in stream:
                received += data
        return received


def parse(method: str, received: bytes) -> tuple[int, bytes]:
    """Return the status and the body of an answer that must be well-formed, and all there is."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(received)
    client.receive_data(b"")
    response = client.next_event()
    assert isinstance(response, h11.Response)
    body = b""
    while isinstance(event := client.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert client.trailing_data[0] == b""
    return response.status_code, body


async def ask(
    path: Path, target: str, method: str = "GET", body: bytes = b"", **headers: str
) -> tuple[int, bytes]:
    """Ask once, and return the status and the body."""
    given = {"Host": "localhost", "Content-Length": str(len(body)), "Connection": "close"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    if body:
        given.setdefault("Content-Type", "application/json")
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    sent = f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body
    return parse(method, await exchange(path, sent))
