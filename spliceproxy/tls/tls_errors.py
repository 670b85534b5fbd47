"""Why there is no agreeing with a peer on TLS, in names."""

import ssl

FAILED = "tls_failed"
"""Something is wrong with its handshake."""
TIMEOUT = "tls_timeout"
NOT_TLS = "not_tls"
MISMATCH = "tls_mismatch"
"""No version, cipher suite or protocol in common."""
ALERT = "tls_alert"
"""It wants none of it: the alert tells why."""
BAD_CERTIFICATE = "bad_certificate"
NO_CERTIFICATE = "no_certificate"
CROWDED_OUT = "tls_crowded_out"
"""Too many handshakes were under way, and it was the oldest of them."""

_NAMES = {
    "WRONG_VERSION_NUMBER": NOT_TLS,
    "HTTP_REQUEST": NOT_TLS,
    "HTTPS_PROXY_REQUEST": NOT_TLS,
    "NO_SHARED_CIPHER": MISMATCH,
    "UNSUPPORTED_PROTOCOL": MISMATCH,
    "NO_PROTOCOLS_AVAILABLE": MISMATCH,
    "NO_CIPHERS_AVAILABLE": MISMATCH,
    "WRONG_SSL_VERSION": MISMATCH,
    "UNKNOWN_PROTOCOL": NOT_TLS,
    "NO_SUITABLE_KEY_SHARE": MISMATCH,
    "NO_SUITABLE_GROUPS": MISMATCH,
    "NO_SUITABLE_SIGNATURE_ALGORITHM": MISMATCH,
    "NO_APPLICATION_PROTOCOL": MISMATCH,
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": NO_CERTIFICATE,
    "CERTIFICATE_VERIFY_FAILED": BAD_CERTIFICATE,
}


class TlsError(Exception):
    """There is no agreeing with a peer."""

    def __init__(self, name: str, detail: str = "") -> None:
        super().__init__(name, detail)
        self.name = name
        """One of the names above."""
        self.detail = detail
        """What OpenSSL says."""


def detail_of(error: ssl.SSLError) -> str:
    """Return what OpenSSL says, on one line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.reason or str(error)).lower().replace("_", " ")


def failure_of(error: ssl.SSLError) -> TlsError:
    """Return what a handshake has failed for."""
    reason = error.reason or ""
    name = _NAMES.get(reason, ALERT if "ALERT" in reason else FAILED)
    return TlsError(name, detail_of(error))
