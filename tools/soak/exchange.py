"""What client and backend say to one another, so that each can check every byte.

A request is a line, MANNER REQUEST_BYTES RESPONSE_BYTES SEED, and that many bytes made from the
seed. The answer is the SHA-256 of the request's bytes as they arrived, in hex, a newline, and the
bytes that were asked for. Both directions are random bytes behind a counter for each MiB, so that
what is lost, doubled or swapped changes the digest.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from tools.demo.payload import blocks

MAX_HEADER_BYTES = 100
MAX_BODY_BYTES = 1 << 30
RESPONSE_SEED_OFFSET = 1000
"""So that a request never has the bytes of its answer."""


class Manner(StrEnum):
    """How a backend treats a request."""

    ANSWER = "answer"
    """It answers, and waits for the next request on the connection."""
    HALF_CLOSED = "half_closed"
    """It answers when the client's stream has ended."""
    ENDS_FIRST = "ends_first"
    """It sends its bytes and ends its stream; only then it reads the request. No digest."""
    RESETS = "resets"
    """It sends the digest and half of the answer, and resets."""


@dataclass(frozen=True)
class Request:
    """What a client asks for."""

    manner: Manner
    request_bytes: int
    response_bytes: int
    seed: int

    @property
    def header(self) -> bytes:
        return f"{self.manner} {self.request_bytes} {self.response_bytes} {self.seed}\n".encode()

    @property
    def request_sha256(self) -> str:
        return sha256_of(self.request_bytes, self.seed)

    @property
    def response_sha256(self) -> str:
        return sha256_of(self.response_bytes, self.seed + RESPONSE_SEED_OFFSET)


def parse_header(line: bytes) -> Request:
    """Read a request's first line.

    Raises:
        ValueError: it is none.
    """
    manner, *numbers = line.decode("ascii").split()
    request_bytes, response_bytes, seed = map(int, numbers)
    if not 0 <= max(request_bytes, response_bytes) <= MAX_BODY_BYTES:
        raise ValueError("too long")
    return Request(Manner(manner), request_bytes, response_bytes, seed)


@lru_cache(maxsize=4096)
def sha256_of(total_bytes: int, seed: int) -> str:
    """Return the digest of so many bytes of a seed, made here and not sent anywhere."""
    digest = hashlib.sha256()
    for block in blocks(total_bytes, seed):
        digest.update(block)
    return digest.hexdigest()
