"""What a listener speaks TLS with: a context for each certificate, one of them for each client."""

import hashlib
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from spliceproxy.formats.starttls import postgres
from spliceproxy.settings.tls import ClientRules, TlsListen
from spliceproxy.tls.certificate_files import CertificateFiles, ServerFiles
from spliceproxy.tls.common_context import check_ciphers, set_versions, show_certificate, trust
from spliceproxy.tls.start_tls import StartTls, make_start_tls
from spliceproxy.tls.ticket_keys import set_ticket_keys


@dataclass(frozen=True, slots=True)
class ServerTls:
    """TLS at a listener."""

    context: ssl.SSLContext
    """To wrap what is accepted in: it goes on with the context of the certificate that is due."""
    rules: ClientRules | None
    """Which clients are let in, of those whose certificate is valid; None: all."""
    ticket_purpose: bytes
    """What the keys of its session tickets are for."""
    start_tls: StartTls | None = None
    """What clients ask for TLS with; None: they begin with it."""

    def use_tickets(self, secret: bytes) -> None:
        """Give and take session tickets by a secret; only where `keys_can_be_set`."""
        set_ticket_keys(self.context, secret, self.ticket_purpose)


class NamedConnection(ssl.SSLObject):
    """A connection in memory that knows what its client has asked for."""

    server_name: str | None = None


class CertificateChoice:
    """Contexts by the names of their certificates."""

    def __init__(self, chosen_from: list[tuple[CertificateFiles, ssl.SSLContext]]) -> None:
        """Of two certificates for a name the first is chosen."""
        self.default = chosen_from[0][1]
        self._by_name: dict[str, ssl.SSLContext] = {}
        for certificate, context in chosen_from:
            for name in certificate.names:
                self._by_name.setdefault(name, context)

    def find(self, server_name: str | None) -> ssl.SSLContext:
        """Return the context for a name: the exact one, or a wildcard one level above."""
        if server_name is None:
            return self.default
        name = server_name.lower().removesuffix(".")
        _, _, parent = name.partition(".")
        return self._by_name.get(name) or self._by_name.get(f"*.{parent}") or self.default

    def choose(
        self, connection: ssl.SSLSocket | ssl.SSLObject, server_name: str | None, _: ssl.SSLContext
    ) -> None:
        """Go on with the certificate that a client asks for: `SSLContext.sni_callback`."""
        if isinstance(connection, NamedConnection):
            connection.server_name = server_name
        context = self.find(server_name)
        if context is not self.default:
            connection.context = context


def make_server_tls(
    settings: TlsListen, files: ServerFiles, place: str = "", key_log: str | None = None
) -> ServerTls:
    """Return what a listener speaks TLS with; `place` tells it from all others.

    Contexts are made before workers are forked: they share the keys of session tickets, which
    those of the first context are, whichever goes on (SSL_set_SSL_CTX keeps its `session_ctx`).

    Raises:
        TlsFileError: OpenSSL refuses what was read.
        OSError: no file in memory is to be had.
    """
    check_ciphers(settings)
    contexts = [(each, _make_context(settings, files, each)) for each in files.certificates]
    if key_log is not None:
        for _, context in contexts:
            context.keylog_filename = key_log
    choice = CertificateChoice(contexts)
    choice.default.sni_callback = choice.choose
    _hush_wrong_names()
    choice.default.sslobject_class = NamedConnection
    purpose, start_tls = _purpose(settings, files, place), make_start_tls(settings.starttls)
    return ServerTls(choice.default, settings.clients, purpose, start_tls)


def _hush_wrong_names() -> None:
    """Have nothing printed about server names that are not ASCII.

    `ssl` fails the handshake then, which is told as any other; but it also hands a traceback to
    `sys.unraisablehook`, so that any stranger could fill the log with them.
    """
    hook = sys.unraisablehook
    if not (isinstance(hook, partial) and hook.func is _pass_on):
        sys.unraisablehook = partial(_pass_on, hook)


def _pass_on(
    hook: "Callable[[sys.UnraisableHookArgs], object]", told: "sys.UnraisableHookArgs"
) -> None:
    is_name = isinstance(told.exc_value, UnicodeDecodeError) and isinstance(told.object, bytes)
    if not is_name:
        hook(told)


def _purpose(settings: TlsListen, files: ServerFiles, place: str) -> bytes:
    """Return what tells tickets apart that must not be taken for one another.

    Who resumes a session is not asked for a certificate again. So one from another listener, or
    from before a change of the authorities or of what they have revoked, is not to count.
    """
    parts = (place.encode(), files.client_ca, files.crl, (settings.require or "").encode())
    digests = (hashlib.sha256(b"" if part is None else part).digest() for part in parts)
    return hashlib.sha256(b"".join(digests)).digest()


def _make_context(
    settings: TlsListen, files: ServerFiles, certificate: CertificateFiles
) -> ssl.SSLContext:
    """Make a context that differs from its siblings only in its certificate.

    What a client may and must is the same whichever is chosen: it can ask for any name.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    set_versions(context, settings)
    if settings.starttls == "postgres" and not settings.alpn:
        context.set_alpn_protocols([postgres.ALPN])
    show_certificate(context, certificate)
    if not settings.tickets:
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    if files.client_ca is not None and settings.client_ca is not None:
        trust(context, files.client_ca, settings.client_ca, ("client_ca",))
        required = settings.requires_certificate
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    if files.crl is not None and settings.crl is not None:
        trust(context, files.crl, settings.crl, ("crl",))
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context
