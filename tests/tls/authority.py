"""An authority of the tests' own, and files as it makes them."""

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import trustme

from spliceproxy.settings.tls import TlsDial, TlsListen
from spliceproxy.tls.certificate_files import read_client_files, read_server_files
from spliceproxy.tls.client_context import ClientContexts, ClientTls
from spliceproxy.tls.server_contexts import ServerTls, make_server_tls


@dataclass
class Pair:
    """The files of a certificate and its key."""

    certificate: str
    key: str


class Authority:
    """Issues certificates into a directory."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self._directory = directory
        self._made = trustme.CA()
        self.path = str(directory / f"{name}.pem")
        self._made.cert_pem.write_to_path(self.path)

    def issue(
        self,
        *names: str,
        file: str = "site",
        cn: str | None = None,
        ou: str | None = None,
        not_after: datetime | None = None,
    ) -> Pair:
        """Issue a certificate, with its key beside it."""
        made = self._made.issue_cert(
            *names, common_name=cn, organization_unit_name=ou, not_after=not_after
        )
        pair = Pair(str(self._directory / f"{file}.pem"), str(self._directory / f"{file}.key"))
        for number, blob in enumerate(made.cert_chain_pems):
            blob.write_to_path(pair.certificate, append=number > 0)
        write_secret(Path(pair.key), made.private_key_pem.bytes())
        return pair


def write_secret(path: Path, content: bytes) -> None:
    path.touch(0o600)
    path.write_bytes(content)


def server_tls(settings: TlsListen) -> ServerTls:
    return make_server_tls(settings, read_server_files(settings))


def client_tls(settings: TlsDial, address: str = "localhost:1") -> ClientTls:
    from spliceproxy.settings.address import parse_backend

    return ClientContexts().make(settings, read_client_files(settings), parse_backend(address))


@dataclass
class Handshake:
    """Both ends of one that has succeeded, in memory."""

    client: ssl.SSLObject
    server: ssl.SSLObject


def shake_hands(
    client: ssl.SSLContext,
    server: ssl.SSLContext,
    name: str | None = "localhost",
    session: ssl.SSLSession | None = None,
) -> Handshake:
    """Let two contexts speak to each other; raises what either end does."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = Handshake(
        client.wrap_bio(to_client, to_server, server_hostname=name, session=session),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    waiting = [ends.client, ends.server]
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
    # With TLS 1.3 the client has ended first: tickets, and what is said of it, come afterwards.
    ends.server.write(b"!")
    ends.client.read(1)
    return ends
