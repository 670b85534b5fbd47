"""How a client came by TLS, and the TLV that tells it: PP2_TYPE_SSL (2.2.5)."""

import struct
from dataclasses import dataclass

_HEAD = struct.Struct("!BI")  # what of TLS there was, and the result of verifying the certificate
_SUB_HEAD = struct.Struct("!BH")
_BY_TLS, _CERTIFICATE_NOW, _CERTIFICATE_IN_SESSION = 0x01, 0x02, 0x04
_NOT_VERIFIED = 1
_TEXTS = {
    0x21: "ssl_version",
    0x22: "ssl_cn",
    0x23: "ssl_cipher",
    0x24: "ssl_sig_alg",
    0x25: "ssl_key_alg",
    0x26: "ssl_group",
    0x27: "ssl_sig_scheme",
}
_VERSION, _CN, _CIPHER, _SIG_ALG, _KEY_ALG = 0x21, 0x22, 0x23, 0x24, 0x25
_MOST_SUB_TLVS = 16
_MOST_TEXT_BYTES = 256  # of a name in a certificate, which has no bound of its own


@dataclass(frozen=True, slots=True)
class ClientHandshake:
    """What a finished handshake with a client has agreed on; texts are empty where unknown."""

    version: str
    """As OpenSSL names it: ``TLSv1.3``."""
    cipher: str
    """Likewise: ``TLS_AES_256_GCM_SHA384``."""
    server_name: str | None = None
    """What the client's hello asked for."""
    alpn: str | None = None
    client_cn: str | None = None
    """The common name in the client's certificate."""
    has_certificate: bool = False
    """Whether the client has shown one, now or in the session that it resumes."""
    is_verified: bool = False
    is_resumed: bool = False
    signature_algorithm: str = ""
    """Of this side's certificate: ``ecdsa-with-SHA256``."""
    key_algorithm: str = ""
    """Likewise: ``EC256``."""


def pack_ssl(tls: ClientHandshake) -> bytes:
    """Return the value of the TLV."""
    flags = _BY_TLS
    if tls.has_certificate:
        flags |= _CERTIFICATE_IN_SESSION | (0 if tls.is_resumed else _CERTIFICATE_NOW)
    verified = tls.has_certificate and tls.is_verified
    texts = {
        _VERSION: tls.version,
        _CN: tls.client_cn,
        _CIPHER: tls.cipher,
        _SIG_ALG: tls.signature_algorithm,
        _KEY_ALG: tls.key_algorithm,
    }
    packed = ((kind, text.encode()[:_MOST_TEXT_BYTES]) for kind, text in texts.items() if text)
    return _HEAD.pack(flags, 0 if verified else _NOT_VERIFIED) + b"".join(
        _SUB_HEAD.pack(kind, len(value)) + value for kind, value in packed
    )


def read_ssl(value: bytes) -> dict[str, bytes | bool]:
    """Return what the TLV tells, by names.

    Raises:
        ValueError: it is cut off, or has too many parts.
    """
    if len(value) < _HEAD.size:
        raise ValueError("an SSL TLV that is cut off")
    flags, verify = _HEAD.unpack_from(value)
    told: dict[str, bytes | bool] = {"ssl": bool(flags & _BY_TLS)}
    if flags & (_CERTIFICATE_NOW | _CERTIFICATE_IN_SESSION):
        told["ssl_verified"] = verify == 0
    at, parts = _HEAD.size, 0
    while at < len(value):
        parts += 1
        if parts > _MOST_SUB_TLVS or at + _SUB_HEAD.size > len(value):
            raise ValueError("an SSL TLV that is cut off, or has too many parts")
        kind, length = _SUB_HEAD.unpack_from(value, at)
        at += _SUB_HEAD.size
        if at + length > len(value):
            raise ValueError("an SSL TLV that is cut off")
        if kind in _TEXTS:
            told[_TEXTS[kind]] = value[at : at + length]
        at += length
    return told
