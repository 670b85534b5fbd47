import pytest

from spliceproxy.formats.crc32c import crc32c


@pytest.mark.parametrize(
    ("data", "checksum"),
    [  # the first from the catalogue of CRCs, the others from RFC 3720, appendix B.4
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (b"", 0),
    ],
)
def test_known_checksums(data: bytes, checksum: int) -> None:
    assert crc32c(data) == checksum
