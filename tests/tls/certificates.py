"""Certificates for tests, made by openssl's command once for a run."""

import functools
import ssl
import subprocess
import tempfile
from pathlib import Path


@functools.cache
def pem() -> Path:
    """A file with a key and a certificate for `localhost`, signed by itself."""
    path = Path(tempfile.mkdtemp(prefix="spliceproxy-tls-")) / "localhost.pem"
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", "/dev/stdout", "-out", "/dev/stdout"),
        ],
        check=True,
        capture_output=True,
    )
    path.write_bytes(made.stdout)
    path.chmod(0o600)
    return path


def server_context() -> ssl.SSLContext:
    """What the side speaks with that is connected to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem())
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


def client_context(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """What the side speaks with that connects, and believes the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pem())
    context.maximum_version = version
    return context
