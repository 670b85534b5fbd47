"""PEM files: read within bounds, keys only where they are kept from others; and lent by a path.

OpenSSL reads certificates and keys from files alone, by a path, as far as `ssl` has it. What has
been read once is lent as a file in memory, so that it is read by those who may, and only once.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spliceproxy.kernel.memory_file import make_memory_file

MAX_PEM_BYTES = 4 << 20
"""All authorities of a system take 0.2 MiB; lists of what is revoked, more."""

_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a FIFO must not hold anybody up
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s.*?-----END \1-----[^\S\n]*\n?", re.DOTALL)
_KEY = re.compile(rb"(?:[A-Z0-9]+ )*PRIVATE KEY")
_CERTIFICATE = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"})
_REVOKED = b"X509 CRL"
_ENCRYPTED = (b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED")
_OTHERS = stat.S_IRWXO
_GROUP_WRITES = stat.S_IWGRP


class PemError(ValueError):
    """What is wrong with a file, and what is expected."""


def read_pem(path: str) -> bytes:
    """Return the content of a file that holds no secret.

    Raises:
        PemError: it cannot be read.
    """
    return _read(path)[0]


def read_key(path: str) -> bytes:
    """Return the private keys of a file, and of nobody's whom it is not kept from.

    Its group may read it: Debian's /etc/ssl/private is for the group ssl-cert.

    Raises:
        PemError: it cannot be read, others may read or change it, or it has no key.
    """
    content, found = _read(path)
    keys = b"".join(find_keys(content))
    if not keys:
        raise PemError(f"{path} has no private key: expected one in PEM")
    check_mode(path, found.st_mode)
    if any(mark in content for mark in _ENCRYPTED):
        raise PemError(
            f"the key in {path} is encrypted, and nobody could be asked for its passphrase: "
            "expected one without, as of: openssl pkey -in FILE -out NEW_FILE"
        )
    return keys


def check_mode(path: str, mode: int) -> None:
    """Refuse a file with a secret that others may read, or change.

    Raises:
        PemError: they may.
    """
    if mode & (_OTHERS | _GROUP_WRITES):
        whom = "everybody" if mode & _OTHERS else "its group"
        what = "read" if mode & stat.S_IROTH else "change"
        raise PemError(
            f"{whom} may {what} the key in {path} (mode {stat.S_IMODE(mode):04o}): "
            f"expected chmod 0600, or 0640"
        )


def _read(path: str) -> tuple[bytes, os.stat_result]:
    try:
        fd = os.open(path, _OPEN)
        with open(fd, "rb") as file:  # noqa: PTH123 - of a descriptor
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise PemError(f"{path} is not a file: expected one in PEM")
            content = file.read(MAX_PEM_BYTES + 1)
    except OSError as error:
        raise PemError(f"cannot read {path} ({error.strerror}): check path and rights") from None
    if len(content) > MAX_PEM_BYTES:
        raise PemError(f"{path} is too large: expected at most {MAX_PEM_BYTES >> 20} MiB")
    return content, found


def find_keys(content: bytes) -> list[bytes]:
    """Return the blocks of private keys."""
    return [match[0] for match in _BLOCK.finditer(content) if _KEY.fullmatch(match[1])]


def find_certificates(content: bytes) -> list[bytes]:
    """Return the blocks of certificates, in their order."""
    return [match[0] for match in _BLOCK.finditer(content) if match[1] in _CERTIFICATE]


def read_revoked(path: str) -> bytes:
    """Return the lists of revoked certificates of a file that has nothing else.

    OpenSSL takes both from one file: a certificate in it would be an authority that is believed.

    Raises:
        PemError: it cannot be read, it has no list, or a certificate.
    """
    content = read_pem(path)
    if b" CERTIFICATE-----" in content:
        raise PemError(
            f"{path} has a certificate, which would become an authority: expected lists of revoked "
            "certificates (X509 CRL) alone"
        )
    blocks = b"".join(match[0] for match in _BLOCK.finditer(content) if match[1] == _REVOKED)
    if not blocks:
        raise PemError(f"{path} has no list of revoked certificates: expected X509 CRL, in PEM")
    return blocks


@contextmanager
def lent_as_file(content: bytes) -> Iterator[str]:
    """Yield a path by which this process can read the bytes, inside the block.

    Raises:
        OSError: no file in memory is to be had; ENOENT: /proc is not mounted.
    """
    fd = make_memory_file("pem")
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(content)
        path = Path(f"/proc/self/fd/{fd}")
        path.stat()
        yield str(path)
    finally:
        os.close(fd)
