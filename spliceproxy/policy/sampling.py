"""Which connections are in a sample."""

from hashlib import blake2b

KEY_BYTES = 32
"""As much as is of use; blake2b takes up to 64."""

_HASH_BYTES = 8
_HASHES = 1 << (8 * _HASH_BYTES)


def sampled(client: bytes, fraction: float, key: bytes) -> bool:
    """Tell whether a client is among the fraction, 0 to 1, that is sampled.

    The client is known by its address without the port: all its connections are in, or none. The
    answer is the same wherever the key is the same, and whatever is in a sample is in each larger
    one too. Without the key nobody can tell whether they are in one, or choose an address that is.
    """
    point = int.from_bytes(blake2b(client, digest_size=_HASH_BYTES, key=key).digest())
    return point < fraction * _HASHES


def key_of(secret: bytes) -> bytes:
    """Return the key that a secret of any length stands for."""
    return blake2b(secret, digest_size=KEY_BYTES).digest()
