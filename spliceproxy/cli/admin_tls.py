"""Asking by TLS: who is believed, and what is shown."""

import ssl

from spliceproxy.errors import UsageProblem, quote

_REMEDIES = {
    "CERTIFICATE_VERIFY_FAILED": "is it the authority of --admin-ca, and the name of --admin?",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate of yours: --admin-certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it may want a certificate of yours: --admin-certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not believe the authority of your certificate",
    "WRONG_VERSION_NUMBER": "does it speak TLS? else: --admin HOST:PORT without https://",
}


def make_context(ca: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext:
    """Return what verifies the proxy's certificate, and shows one to it.

    Raises:
        UsageProblem: a file cannot be used.
    """
    if key is not None and certificate is None:
        raise UsageProblem("--admin-key has no effect alone", "expected --admin-certificate, too")
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise _refused("--admin-ca", ca or "", error) from None
    if certificate is not None:
        try:
            # Instead of OpenSSL's question on the terminal.
            context.load_cert_chain(certificate, key, password=lambda: "")
        except (OSError, ValueError) as error:
            raise _refused("--admin-certificate", certificate, error) from None
    return context


def remedy_of(error: Exception) -> str | None:
    """Return what to do when a proxy cannot be asked by TLS; None: it is not that."""
    return _REMEDIES.get(error.reason or "") if isinstance(error, ssl.SSLError) else None


def _refused(option: str, path: str, error: Exception) -> UsageProblem:
    reason = error.reason if isinstance(error, ssl.SSLError) else getattr(error, "strerror", None)
    return UsageProblem(
        f"{option} {quote(path)} cannot be used ({reason or error})",
        "expected certificates, or a certificate and its key without a passphrase, in PEM",
    )
