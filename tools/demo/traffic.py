"""What the demo sends through the proxy, and what of it arrived."""

import hashlib
from dataclasses import dataclass

import trio

from .payload import BLOCK_BYTES, blocks

SMALL_PAYLOAD_BYTES = 1000
SMALL_CONCURRENCY = 50


@dataclass(frozen=True)
class Transfer:
    """One connection: the payload asked for, and what its client counted."""

    seed: int
    payload_bytes: int
    request_bytes: int
    response_bytes: int
    sha256: str

    def is_intact(self) -> bool:
        """Compare the digest of what arrived with one made from the seed alone."""
        return self.sha256 == expected_sha256(self.payload_bytes, self.seed)


def expected_sha256(payload_bytes: int, seed: int) -> str:
    """Return the digest of the payload, made here and not sent anywhere."""
    digest = hashlib.sha256()
    for block in blocks(payload_bytes, seed):
        digest.update(block)
    return digest.hexdigest()


async def download(port: int, payload_bytes: int, seed: int) -> Transfer:
    """Ask for a payload and read it; an early end shows in the count and in the digest."""
    request = f"GET {payload_bytes} {seed}\n".encode()
    digest = hashlib.sha256()
    received_bytes = 0
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(request)
        while received_bytes < payload_bytes:
            received = await stream.receive_some(BLOCK_BYTES)
            if not received:
                break
            digest.update(received)
            received_bytes += len(received)
    return Transfer(seed, payload_bytes, len(request), received_bytes, digest.hexdigest())


async def upload(port: int, payload_bytes: int, seed: int) -> Transfer:
    """Send a payload; the origin answers with the digest of what reached it."""
    request = f"PUT {payload_bytes}\n".encode()
    answer = b""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(request)
        for block in blocks(payload_bytes, seed):
            await stream.send_all(block)
        while not answer.endswith(b"\n") and (received := await stream.receive_some()):
            answer += received
    request_bytes = len(request) + payload_bytes
    return Transfer(seed, payload_bytes, request_bytes, len(answer), answer.decode().strip())


async def small_downloads(port: int, count: int) -> list[Transfer]:
    """Open many short connections, a few at a time, each with one small request and answer."""
    transfers: list[Transfer] = []
    limit = trio.CapacityLimiter(SMALL_CONCURRENCY)

    async def one(seed: int) -> None:
        async with limit:
            transfers.append(await download(port, SMALL_PAYLOAD_BYTES, seed))

    async with trio.open_nursery() as nursery:
        for seed in range(count):
            nursery.start_soon(one, seed)
    return transfers
