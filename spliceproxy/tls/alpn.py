"""Insisting on a protocol (ALPN), where an agreement on none is no agreement."""

from spliceproxy.tls.tls_errors import MISMATCH, TlsError
from spliceproxy.tls.tls_socket import TlsSocket


def check_alpn(wanted: str, sock: TlsSocket) -> TlsError | None:
    """Return what is wrong unless this protocol was agreed on."""
    if sock.tls.selected_alpn_protocol() == wanted:
        return None
    return TlsError(MISMATCH, f"no agreement on the protocol {wanted!r} (ALPN)")
