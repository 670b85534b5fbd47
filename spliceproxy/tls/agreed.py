"""What a handshake has agreed on."""

from typing import Any

from spliceproxy.formats.proxy_protocol.client_handshake import ClientHandshake
from spliceproxy.tls.tls_errors import MISMATCH, TlsError
from spliceproxy.tls.tls_socket import TlsSocket


def describe_client(sock: TlsSocket) -> ClientHandshake:
    """Return what has been agreed on with a client.

    A certificate that it has shown was verified: otherwise the handshake would have failed.
    """
    tls = sock.tls
    cipher, certificate = tls.cipher(), tls.getpeercert()
    return ClientHandshake(
        tls.version() or "",
        cipher[0] if cipher else "",
        sock.server_name,
        tls.selected_alpn_protocol(),
        common_name(certificate) if certificate else None,
        has_certificate=bool(certificate),
        is_verified=bool(certificate),
        is_resumed=bool(tls.session_reused),
    )


def common_name(certificate: dict[str, Any]) -> str | None:
    """Return the common name of a certificate's subject, as `ssl` reads it; None: it has none."""
    for part in certificate.get("subject", ()):
        for kind, value in part:
            if kind == "commonName":
                return str(value)
    return None


def check_alpn(wanted: str, sock: TlsSocket) -> TlsError | None:
    """Return what is wrong unless this protocol was agreed on."""
    if sock.tls.selected_alpn_protocol() == wanted:
        return None
    return TlsError(MISMATCH, f"no agreement on the protocol {wanted!r} (ALPN)")
