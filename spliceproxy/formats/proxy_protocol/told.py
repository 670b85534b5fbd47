"""What a PROXY protocol header has told besides addresses, as it may stand in a log."""

from spliceproxy.formats.proxy_protocol.client_handshake import read_ssl
from spliceproxy.formats.proxy_protocol.header import ProxyProtocolError, Tlvs
from spliceproxy.formats.proxy_protocol.tlvs import (
    ALPN,
    AUTHORITY,
    AWS,
    AZURE,
    GCP,
    NETNS,
    SSL,
    UNIQUE_ID,
)

Told = dict[str, str | bool]
"""By name; empty where a header has told nothing else."""

_MOST_CHARACTERS = 256
_TEXTS = {ALPN: "alpn", AUTHORITY: "authority", UNIQUE_ID: "unique_id", NETNS: "netns"}
_SUBTYPE = b"\x01"  # the only one of Amazon's and of Microsoft's that there is
_GCP_BYTES, _AZURE_BYTES = 8, 4


def tell(tlvs: Tlvs) -> Told:
    """Return what TLVs of known types say; of several of a type the last.

    Raises:
        ProxyProtocolError: one is malformed.
    """
    told: Told = {}
    for kind, value in tlvs:
        name = _TEXTS.get(kind)
        if name is not None:
            told[name] = _text(value)
        elif kind == SSL:
            told |= _tell_ssl(value)
        elif kind == AWS and value.startswith(_SUBTYPE):
            told["aws_vpc_endpoint_id"] = _text(value[1:])
        elif kind == GCP and len(value) == _GCP_BYTES:
            told["gcp_psc_connection_id"] = str(int.from_bytes(value))
        elif kind == AZURE and value.startswith(_SUBTYPE) and len(value) == 1 + _AZURE_BYTES:
            told["azure_private_endpoint_link_id"] = str(int.from_bytes(value[1:], "little"))
    return told


def _tell_ssl(value: bytes) -> Told:
    try:
        parts = read_ssl(value)
    except ValueError as error:
        raise ProxyProtocolError(str(error)) from None
    return {name: part if isinstance(part, bool) else _text(part) for name, part in parts.items()}


def _text(value: bytes) -> str:
    """Return a value as it is if it can be printed, else in hexadecimal digits."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = ""
    return (text if text.isprintable() and (text or not value) else value.hex())[:_MOST_CHARACTERS]
