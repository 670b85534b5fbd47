"""A certificate for tests, made once for a run, and contexts that show or believe it."""

import atexit
import functools
import shutil
import ssl
import tempfile
from pathlib import Path

import pytest
import trustme


@functools.cache
def _directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="spliceproxy-tls-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    made = authority.issue_cert("localhost", "127.0.0.1")
    (directory / "localhost.pem").touch(0o600)
    made.private_key_and_cert_chain_pem.write_to_path(str(directory / "localhost.pem"))
    return directory


def authority() -> str:
    """The file of the authority."""
    return str(_directory() / "ca.pem")


def certificate() -> str:
    """The file of a certificate for `localhost`, with its key."""
    return str(_directory() / "localhost.pem")


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The authority is one of the system's, as OpenSSL finds them."""
    monkeypatch.setenv("SSL_CERT_FILE", authority())


@functools.cache
def server_context() -> ssl.SSLContext:
    """What the side speaks with that is connected to; it sends no tickets."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate())
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    return context


@functools.cache
def client_context(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """What the side speaks with that connects, and believes the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority())
    context.maximum_version = version
    return context
