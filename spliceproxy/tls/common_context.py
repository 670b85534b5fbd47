"""What contexts have in common, whichever side begins."""

import ssl
from typing import NoReturn

from spliceproxy.settings.tls import TlsVersions
from spliceproxy.tls.certificate_files import CertificateFiles
from spliceproxy.tls.cipher_profiles import suites_of
from spliceproxy.tls.file_problem import TlsFileError
from spliceproxy.tls.pem_file import lent_as_file

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def check_ciphers(settings: TlsVersions) -> None:
    """Refuse cipher suites that are not there; OpenSSL passes over those that it does not know.

    Raises:
        TlsFileError: names the first of them.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for number, suite in enumerate(suites_of(settings.ciphers)):
        try:
            context.set_ciphers(suite)
        except ssl.SSLError:
            raise TlsFileError(
                ("ciphers", number),
                f"{suite!r} is not known to {ssl.OPENSSL_VERSION}: see openssl ciphers -s -tls1_2",
            ) from None


def set_versions(context: ssl.SSLContext, settings: TlsVersions) -> None:
    """Set what is spoken, by ciphers that `check_ciphers` has looked at."""
    context.minimum_version = _VERSIONS[settings.lowest_version]
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_ciphers(":".join(suites_of(settings.ciphers)))
    if settings.alpn:
        context.set_alpn_protocols(list(settings.alpn))


def show_certificate(context: ssl.SSLContext, certificate: CertificateFiles) -> None:
    """Have a context show a certificate.

    Raises:
        TlsFileError: OpenSSL refuses it, as the key is another one's.
    """
    with lent_as_file(certificate.chain + certificate.key) as file:
        try:
            context.load_cert_chain(file, password=_refuse_password)
        except ssl.SSLError as error:
            raise TlsFileError(certificate.place, _explain(certificate.path, error)) from None


def trust(
    context: ssl.SSLContext, authorities: bytes, file: str, path: tuple[str | int, ...]
) -> None:
    """Have a context believe authorities; or know what they have revoked, where that is a list.

    Raises:
        TlsFileError: there is nothing of the kind in the file.
    """
    with lent_as_file(authorities) as lent:
        try:
            context.load_verify_locations(lent)
        except ssl.SSLError as error:
            reason = error.reason or "no PEM"
            raise TlsFileError(
                path, f"{file} cannot be used ({reason}): expected certificates, or lists, in PEM"
            ) from None


def _refuse_password() -> NoReturn:
    """Instead of OpenSSL's question on the terminal."""
    raise ssl.SSLError("the key is encrypted")


def _explain(path: str, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"the key is not that of {path}: expected the one that the certificate was made for"
    return f"{path} cannot be used ({error.reason or error}): expected a certificate and its key"
