"""Bytes to send, and what to say when others arrive."""

import random
from functools import lru_cache


@lru_cache(maxsize=8)
def random_bytes(count: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(count)


def assert_same(received: bytes, sent: bytes) -> None:
    """Equal, without a difference of megabytes in the report."""
    assert len(received) == len(sent)
    assert _first_difference(received, sent) is None


def assert_prefix(received: bytes, sent: bytes) -> None:
    assert len(received) <= len(sent)
    assert _first_difference(received, sent[: len(received)]) is None


def _first_difference(left: bytes, right: bytes) -> int | None:
    if left == right:
        return None
    return next(at for at, (a, b) in enumerate(zip(left, right, strict=True)) if a != b)
