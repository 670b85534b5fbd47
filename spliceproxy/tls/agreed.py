"""What a finished handshake with a client has agreed on, and whether the client is let in."""

import ssl
import time
from collections.abc import Mapping

from spliceproxy.formats.proxy_protocol.client_handshake import ClientHandshake
from spliceproxy.reasons import CLIENT_CERTIFICATE_REFUSED
from spliceproxy.tls.client_rules import refuse_client
from spliceproxy.tls.server_contexts import ServerTls
from spliceproxy.tls.tls_socket import TlsSocket

_MOST_CHARACTERS = 256  # of a name in a certificate, which has no bound of its own


def agreed_with(sock: TlsSocket) -> ClientHandshake:
    """Return what is known of a client and its handshake."""
    tls = sock.tls
    cipher = tls.cipher()
    told = tls.getpeercert() if tls.context.verify_mode is not ssl.CERT_NONE else None
    return ClientHandshake(
        tls.version() or "",
        "" if cipher is None else cipher[0],
        server_name=sock.server_name,
        alpn=tls.selected_alpn_protocol(),
        client_cn=_common_name(told or {}),
        has_certificate=bool(told),
        is_verified=bool(told),  # the handshake fails otherwise
        is_resumed=bool(tls.session_reused),
    )


def refuse(sock: TlsSocket, tls: ServerTls) -> str | None:
    """Return why a client with whom TLS is agreed on is not let in; None: it is."""
    told = sock.tls.getpeercert()
    if told and sock.tls.session_reused and _has_expired(told):
        return CLIENT_CERTIFICATE_REFUSED
    if tls.rules is None:
        return None
    return refuse_client(tls.rules, told, sock.tls.getpeercert(binary_form=True))


def _has_expired(told: Mapping[str, object]) -> bool:
    """Look at a certificate that a session has brought along: OpenSSL looks at new ones alone."""
    return ssl.cert_time_to_seconds(str(told["notAfter"])) < time.time()


def _common_name(told: Mapping[str, object]) -> str | None:
    subject = told.get("subject", ())
    assert isinstance(subject, tuple)  # noqa: S101 - see `SSLSocket.getpeercert`
    names = (text for part in subject for key, text in part if key == "commonName")
    name = next(names, None)
    return None if name is None else str(name)[:_MOST_CHARACTERS]


def describe(agreed: ClientHandshake) -> dict[str, str | bool]:
    """Return it as the log has it: what there is of it, by names."""
    told: dict[str, str | bool | None] = {
        "version": agreed.version,
        "cipher": agreed.cipher,
        "alpn": agreed.alpn,
        "client_cn": agreed.client_cn,
        "resumed": agreed.is_resumed,
    }
    return {name: value for name, value in told.items() if value}
