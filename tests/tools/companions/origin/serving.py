"""An origin in this process, and a client that sends bytes as they are and reads answers."""

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from spliceproxy.kernel.listening import listen_tcp
from spliceproxy.kernel.sockets import Socket
from spliceproxy.observe.line_buffer import LineBuffer
from tools.companions.origin.access_log import AccessLog
from tools.companions.origin.answer_cache import AnswerCache
from tools.companions.origin.cold_reader import ColdReader
from tools.companions.origin.connection import Connection
from tools.companions.origin.counts import Counts
from tools.companions.origin.direct_files import DirectFiles
from tools.companions.origin.file_cache import FileCache
from tools.companions.origin.limits import Limits
from tools.companions.origin.root import Root
from tools.companions.origin.senders import AUTO, technique
from tools.companions.origin.server import serve
from tools.companions.origin.service import Service
from tools.companions.origin.site import Site

TIMEOUT_S = 20


@asynccontextmanager
async def serving(
    directory: Path,
    *,
    method: str = AUTO,
    limits: Limits | None = None,
    cache: FileCache | None = None,
    log: LineBuffer | None = None,
    lists_directories: bool = False,
    counts: Counts | None = None,
    recheck_s: float | None = None,
    threads: int = 0,
    direct_from_bytes: int | None = None,
) -> AsyncIterator[int]:
    """Serve a directory; yields the port. Answers are cached where `recheck_s` is given."""
    row = (counts or Counts()).row()
    limits = limits or Limits()
    cache = cache or FileCache(1 << 20)
    root, listener = Root(directory), listen_tcp(socket.AF_INET, ("127.0.0.1", 0), 100, 0)
    site = Site(root, lists_directories=lists_directories)
    way = technique(method, cache=cache, buffer_bytes=1 << 16, chunk_bytes=1 << 20)
    reader = ColdReader(threads, row) if threads else None
    service = Service(site, way, limits, row, cold_reader=reader)
    if log is not None:
        service = replace(service, log=AccessLog(log))
    if recheck_s is not None:
        answers = AnswerCache(
            root, capacity_bytes=1 << 20, largest_body_bytes=1 << 14, recheck_s=recheck_s
        )
        service = replace(service, answers=answers)
    if direct_from_bytes is not None:
        service = replace(service, direct_files=DirectFiles(direct_from_bytes, row))

    def connection(sock: Socket, peer: str) -> Connection:
        return Connection(sock, peer, service)

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, [listener], connection, limits.max_connections)
            yield listener.getsockname()[1]
            nursery.cancel_scope.cancel()
    finally:
        if reader is not None:
            reader.close()
        root.close()
        cache.close()
        listener.close()


@dataclass(frozen=True)
class Reply:
    """One answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def request(target: str = "/", method: str = "GET", **headers: str) -> bytes:
    """Return a request; `If_Match="x"` stands for the field If-Match."""
    fields = {"Host": "test", **{name.replace("_", "-"): text for name, text in headers.items()}}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {text}" for name, text in fields.items())]
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


async def talk(port: int, sent: bytes, *, is_open: bool = False) -> bytes:
    """Send bytes, end our side unless it stays open, and return all that comes until the end.

    A reset is no end: it fails the test.
    """
    received = bytearray()
    with trio.fail_after(TIMEOUT_S):
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        async with stream:
            with suppress(trio.BrokenResourceError):
                await stream.send_all(sent)
                if not is_open:
                    await stream.send_eof()
            async for chunk in stream:
                received += chunk
    return bytes(received)


def replies(received: bytes, *, is_head: bool = False) -> list[Reply]:
    """Take what came apart; anything left over fails the test."""
    found = []
    while received:
        header, separator, received = received.partition(b"\r\n\r\n")
        assert separator, received
        first, *lines = header.decode("latin-1").split("\r\n")
        assert first.startswith("HTTP/1.1 ")
        fields = {name.lower(): text for name, _, text in (line.partition(": ") for line in lines)}
        status = int(first.split()[1])
        length = 0 if is_head or status == 304 else int(fields["content-length"])
        assert len(received) >= length
        found.append(Reply(status, fields, received[:length]))
        received = received[length:]
    return found


async def ask(port: int, target: str = "/", method: str = "GET", **headers: str) -> Reply:
    """Send one request and return its answer."""
    received = await talk(port, request(target, method, **headers))
    (reply,) = replies(received, is_head=method == "HEAD")
    return reply
