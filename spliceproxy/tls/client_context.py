"""What the proxy speaks TLS with towards a backend."""

import ssl
from dataclasses import dataclass

from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.dns import BackendPlace
from spliceproxy.settings.tls import TlsDial
from spliceproxy.tls.certificate_files import ClientFiles
from spliceproxy.tls.common_context import check_ciphers, set_versions, show_certificate, trust
from spliceproxy.tls.start_tls import StartTls, make_start_tls


@dataclass(frozen=True, slots=True)
class ClientTls:
    """TLS with a backend."""

    context: ssl.SSLContext
    server_hostname: str | None
    """Asked for, unless it is an IP address (RFC 6066), and checked. None: neither."""
    start_tls: StartTls | None = None
    """What it is asked for TLS with; None: TLS comes first."""


class ClientContexts:
    """Makes what backends are spoken to with: one context for all that are spoken to alike.

    The system's authorities take OpenSSL 20 to 100 ms to read, and 1 MB.
    """

    def __init__(self, key_log: str | None = None) -> None:
        self.key_log = key_log
        self._made: dict[tuple[TlsDial, ClientFiles], ssl.SSLContext] = {}

    def make(self, settings: TlsDial, files: ClientFiles, address: BackendPlace) -> ClientTls:
        """Return what a backend is spoken to with.

        Raises:
            TlsFileError: OpenSSL refuses what was read.
            OSError: no file in memory is to be had.
        """
        key = settings.model_copy(update={"name": None}), files
        context = self._made.get(key)
        if context is None:
            context = self._made[key] = self._make_context(settings, files)
        name = settings.name or _host_of(address)
        return ClientTls(context, name, make_start_tls(settings.starttls))

    def _make_context(self, settings: TlsDial, files: ClientFiles) -> ssl.SSLContext:
        check_ciphers(settings)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        set_versions(context, settings)
        if not settings.verify:
            context.check_hostname = False  # first: ssl refuses the other order
            context.verify_mode = ssl.CERT_NONE
        elif files.ca is not None and settings.ca is not None:
            trust(context, files.ca, settings.ca, ("ca",))
        else:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        if files.certificate is not None:
            show_certificate(context, files.certificate)
        if self.key_log is not None:
            context.keylog_filename = self.key_log
        return context


def _host_of(address: BackendPlace) -> str | None:
    if not isinstance(address, TcpAddress) or address.host is None:
        return None
    return address.host.partition("%")[0]  # the scope of an IPv6 address is this machine's
