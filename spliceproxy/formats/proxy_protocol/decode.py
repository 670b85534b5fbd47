"""Recognising a PROXY protocol header of either version."""

from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.proxy_protocol import version1, version2
from spliceproxy.formats.proxy_protocol.header import ProxyHeader, ProxyProtocolError

_VERSIONS = (
    (version1.SIGNATURE, version1.decode),
    (version2.SIGNATURE, version2.decode),
)


def decode(data: bytes) -> ProxyHeader | NeedMore:
    """Read the header that a connection begins with, given what has come of it so far.

    What is no header is refused at the first byte that shows it.

    Raises:
        ProxyProtocolError: it does not begin with a header that is accepted.
    """
    for signature, decode_version in _VERSIONS:
        if data.startswith(signature):
            return decode_version(data)
        if signature.startswith(data):
            return NeedMore(len(signature))
    raise ProxyProtocolError("not a PROXY protocol header")
