"""Which connections are in a sample."""

from hashlib import blake2b

_HASH_BYTES = 8
_HASHES = 1 << (8 * _HASH_BYTES)


def sampled(key: bytes, fraction: float) -> bool:
    """Tell whether a connection with this key is among the fraction, 0 to 1, that is sampled.

    The key is the client's address without the port: all connections of a client are in, or none.
    The answer is the same in every process and after a restart, and whatever is in a sample is in
    each larger one too.
    """
    point = int.from_bytes(blake2b(key, digest_size=_HASH_BYTES).digest())
    return point < fraction * _HASHES
