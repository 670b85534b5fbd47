"""DER, as far as a certificate's public key is to be found in it (X.690, section 8.1; RFC 5280)."""

_CONSTRUCTED_0 = 0xA0
_SEQUENCE = 0x30
_BEFORE_KEY = 5
"""Of a certificate's fields: number, algorithm, issuer, validity and subject."""


def public_key_info(certificate: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo of a certificate, whose digest is a pin.

    Raises:
        ValueError: it is no certificate.
    """
    start, _ = _content(certificate, 0, _SEQUENCE)
    at, _ = _content(certificate, start, _SEQUENCE)
    if certificate[at : at + 1] == bytes([_CONSTRUCTED_0]):  # the version; the first has none
        at = _content(certificate, at)[1]
    for _ in range(_BEFORE_KEY):
        at = _content(certificate, at)[1]
    _, end = _content(certificate, at, _SEQUENCE)
    return certificate[at:end]


def _content(data: bytes, at: int, tag: int | None = None) -> tuple[int, int]:
    """Return where the content of an element begins, and where it ends."""
    if len(data) < at + 2 or (tag is not None and data[at] != tag):
        raise ValueError("this is not a certificate")
    length, start = data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(data[start : start + size], "big"), start + size
    if start + length > len(data):
        raise ValueError("this certificate is cut short")
    return start, start + length
