"""The clients of the soak: each kind is one connection with its own manners, checked to a byte."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from tools.soak.exchange import Manner, Request
from tools.soak.stream import EarlyEndError, Stream

SEEDS = 8
"""Few, so that most digests are known already."""
SMALL_BYTES = (1, 100, 1000, 20_000)
MEDIUM_BYTES = (100_000, 1 << 20)
BULK_BYTES = (4 << 20, 12 << 20)
STALLED_BYTES = 16 << 20
"""More than the sockets on the way take in, so that the proxy is left with some of it."""
REQUESTS_IN_A_ROW = 30
LONGEST_PAUSE_S = 4.0


class DamagedError(Exception):
    """Other bytes have come than were sent, or an orderly end where there was none."""


@dataclass(frozen=True)
class Client:
    """What a kind of client has to work with."""

    stream: Stream
    rng: random.Random
    stopping: trio.Event

    async def pause(self, longest_s: float = LONGEST_PAUSE_S) -> None:
        """Do nothing for a while; not for long once the load is to end."""
        with trio.move_on_after(self.rng.uniform(0, longest_s)):
            await self.stopping.wait()

    def request(
        self, manner: Manner, request_sizes: tuple[int, ...], response_sizes: tuple[int, ...]
    ) -> Request:
        return Request(
            manner,
            self.rng.choice(request_sizes),
            self.rng.choice(response_sizes),
            self.rng.randrange(SEEDS),
        )

    async def send(self, request: Request) -> None:
        await self.stream.send(request.header)
        await self.stream.send_body(request.request_bytes, request.seed)

    async def check_digest(self, request: Request) -> None:
        line = await self.stream.line()
        if not line:
            raise EarlyEndError
        if line.decode(errors="replace").strip() != request.request_sha256:
            raise DamagedError("the request")

    async def check_response(self, request: Request) -> None:
        if await self.stream.body_sha256(request.response_bytes) != request.response_sha256:
            raise DamagedError("the response")

    async def check_end(self) -> None:
        if not await self.stream.has_ended():
            raise DamagedError("more than was sent")

    async def exchange(self, request: Request) -> None:
        """Send all, then receive: the backend answers when it has the whole request."""
        await self.send(request)
        await self.check_digest(request)
        await self.check_response(request)

    async def end(self) -> None:
        """End in an orderly way, and see that the other side does, too."""
        self.stream.end()
        await self.check_end()
        self.stream.finish()


async def download(client: Client) -> None:
    await client.exchange(client.request(Manner.ANSWER, SMALL_BYTES, BULK_BYTES))
    await client.end()


async def upload(client: Client) -> None:
    await client.exchange(client.request(Manner.ANSWER, BULK_BYTES, SMALL_BYTES))
    await client.end()


async def requests(client: Client) -> None:
    for _ in range(REQUESTS_IN_A_ROW):
        await client.exchange(client.request(Manner.ANSWER, SMALL_BYTES, SMALL_BYTES))
        if client.stopping.is_set():
            break
    await client.end()


async def short(client: Client) -> None:
    await client.exchange(client.request(Manner.ANSWER, SMALL_BYTES, SMALL_BYTES))
    await client.end()


async def half_closing(client: Client) -> None:
    """End the request first; the answer comes over a connection that is half open."""
    request = client.request(Manner.HALF_CLOSED, MEDIUM_BYTES, MEDIUM_BYTES)
    await client.send(request)
    client.stream.end()
    await client.check_digest(request)
    await client.check_response(request)
    await client.check_end()
    client.stream.finish()


async def outlived(client: Client) -> None:
    """Go on sending when the backend's stream has ended; it checks what comes."""
    request = client.request(Manner.ENDS_FIRST, MEDIUM_BYTES, MEDIUM_BYTES)
    await client.stream.send(request.header)
    await client.check_response(request)
    await client.check_end()
    await client.stream.send_body(request.request_bytes, request.seed)
    client.stream.end()
    client.stream.finish()


async def resetting(client: Client) -> None:
    """Reset in the middle of an answer."""
    request = client.request(Manner.ANSWER, SMALL_BYTES, (STALLED_BYTES,))
    await client.send(request)
    await client.check_digest(request)
    await client.stream.body_sha256(client.rng.randrange(STALLED_BYTES // 8))


async def reset_by_backend(client: Client) -> None:
    """See a reset, and never an orderly end, when the backend resets in the middle."""
    request = client.request(Manner.RESETS, SMALL_BYTES, MEDIUM_BYTES)
    await client.send(request)
    try:
        await client.check_digest(request)
        await client.check_response(request)
    except (BrokenPipeError, ConnectionResetError):
        return
    raise DamagedError("an orderly end where the backend has reset")


async def idle(client: Client) -> None:
    for _ in range(2):
        await client.exchange(client.request(Manner.ANSWER, SMALL_BYTES, SMALL_BYTES))
        await client.pause()
    await client.end()


async def stalling(client: Client) -> None:
    """Read no more for a while, in the middle of an answer that fills every buffer."""
    request = client.request(Manner.ANSWER, SMALL_BYTES, (STALLED_BYTES,))
    await client.send(request)
    await client.check_digest(request)
    await client.pause()
    await client.check_response(request)
    await client.end()


@dataclass(frozen=True)
class Kind:
    """A kind of client, and how many of them there are at any time in front of one proxy."""

    name: str
    run: Callable[[Client], Awaitable[None]]
    count: int


KINDS = (
    Kind("download", download, 1),
    Kind("upload", upload, 1),
    Kind("requests", requests, 2),
    Kind("short", short, 2),
    Kind("half-closing", half_closing, 1),
    Kind("outlived by the backend's end", outlived, 1),
    Kind("resetting", resetting, 1),
    Kind("reset by the backend", reset_by_backend, 1),
    Kind("idle", idle, 6),
    Kind("stalling", stalling, 2),
)
RESETTING = frozenset({"resetting"})
"""Kinds that reset themselves."""
RESET_BY_BACKEND = frozenset({"reset by the backend"})
