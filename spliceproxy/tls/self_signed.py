"""A certificate for trying TLS out, made by openssl's command, which most machines have."""

import socket
import subprocess
from dataclasses import dataclass, field

from spliceproxy.tls.pem_file import PemError, find_certificates, find_keys

VALID_DAYS = 30
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class MadeCertificate:
    """In PEM."""

    chain: bytes
    key: bytes = field(repr=False)


def make_self_signed() -> MadeCertificate:
    """Return a certificate for this machine's names, with a key that is in no file. Blocks.

    Raises:
        PemError: openssl is not there, or fails.
    """
    names = ["DNS:localhost", "IP:127.0.0.1", "IP:::1"]
    host = socket.gethostname()
    if host.isascii() and host.replace("-", "a").replace(".", "a").isalnum():
        names.append(f"DNS:{host}")
    try:
        done = subprocess.run(  # noqa: S603 - no shell, nothing of a stranger's
            _command(names), capture_output=True, check=False, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = getattr(error, "strerror", None) or "it takes too long"
        raise PemError(
            f"openssl cannot be run ({why}): install it, or give a certificate"
        ) from None
    certificates, keys = find_certificates(done.stdout), find_keys(done.stdout)
    if done.returncode or not (certificates and keys):
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise PemError(f"openssl makes no certificate ({' '.join(last)}): give one in a file")
    return MadeCertificate(certificates[0], keys[0])


def _command(names: list[str]) -> list[str]:
    return [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-sha256", "-days", str(VALID_DAYS), "-subj", "/CN=localhost"),
        *("-addext", f"subjectAltName={','.join(names)}"),
        *("-keyout", "/dev/stdout", "-out", "/dev/stdout"),
    ]
