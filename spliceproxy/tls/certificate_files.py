"""The files that the TLS settings name, read and checked: what is in them, as bytes."""

import hashlib
import ssl
from _ssl import _test_decode_cert  # type: ignore[attr-defined]  # typeshed leaves it out
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from spliceproxy.kernel.file_state import Signature, signature_of
from spliceproxy.settings.tls import CertificateSettings, TlsDial, TlsListen
from spliceproxy.tls.file_problem import TlsFileError
from spliceproxy.tls.pem_file import (
    PemError,
    find_certificates,
    lent_as_file,
    read_key,
    read_pem,
    read_revoked,
)
from spliceproxy.tls.self_signed import make_self_signed

MAX_CERTIFICATES = 1024
"""Of one listener: each costs the master, which does nothing else meanwhile, 2 ms at a reload."""

Step = str | int
SELF_SIGNED = "self-signed"
"""Stands for the path of a certificate that was made at the start."""

_DIRECTORY_ENDS = (".pem", ".crt")
_CERTBOT = ("fullchain.pem", "privkey.pem")
Result = TypeVar("Result")
Watched = tuple[tuple[str, Signature], ...]
"""Paths, and what was there before it was read."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What may be told of a certificate."""

    path: str
    expires_s: float
    """Seconds since 1970."""
    sha256: str
    """Its fingerprint, as openssl writes it."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A certificate with its key."""

    path: str
    """Of the certificate, which names it in log and metrics."""
    chain: bytes
    """In PEM: the certificate, then those between it and the authority."""
    key: bytes = field(repr=False)
    names: tuple[str, ...]
    """The server names that it is for, in lower case; some begin with `*.`."""
    expires_s: float
    """Seconds since 1970."""
    place: tuple[Step, ...] = ()
    """The key of the settings to blame for a pair that does not fit."""

    @property
    def facts(self) -> CertificateFacts:
        """What may be told of it."""
        der = ssl.PEM_cert_to_DER_cert(find_certificates(self.chain)[0].decode("ascii"))
        fingerprint = hashlib.sha256(der).hexdigest().upper()
        pairs = ":".join(map("".join, zip(fingerprint[::2], fingerprint[1::2], strict=True)))
        return CertificateFacts(self.path, self.expires_s, pairs)


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """What a listener with TLS has been given."""

    certificates: tuple[CertificateFiles, ...]
    client_ca: bytes | None = None
    crl: bytes | None = None
    watched: Watched = ()
    """Files and directories whose change is to cause a reload."""


@dataclass(frozen=True, slots=True)
class ClientFiles:
    """What is known for TLS with a backend."""

    ca: bytes | None
    certificate: CertificateFiles | None
    watched: Watched = ()


def read_server_files(settings: TlsListen) -> ServerFiles:
    """Read what a listener needs, or make it, where it is to be `self_signed`. Blocks.

    Raises:
        TlsFileError: a file cannot be used.
    """
    watched = _watch(_named_by(settings)) if settings.watch else ()
    if settings.self_signed:
        certificates = [_make_certificate()]
    else:
        certificates = [one for path, pair in _pairs(settings) for one in _find(pair, path)]
    if len(certificates) > MAX_CERTIFICATES:
        raise TlsFileError(
            ("certificates",), f"these are more than {MAX_CERTIFICATES}: expected fewer"
        )
    return ServerFiles(
        tuple(certificates),
        _read_named(settings.client_ca, "client_ca"),
        _read_named(settings.crl, "crl", read_revoked),
        watched,
    )


def read_client_files(settings: TlsDial) -> ClientFiles:
    """Read what connecting to a backend needs. Blocks.

    Raises:
        TlsFileError: a file cannot be used.
    """
    named = (settings.ca, settings.certificate, settings.key)
    watched = _watch(named) if settings.watch else ()
    certificate = None
    if settings.certificate is not None:
        pair = CertificateSettings(certificate=settings.certificate, key=settings.key)
        certificate = _read_pair(pair, ())
    return ClientFiles(_read_named(settings.ca, "ca"), certificate, watched)


def _pairs(settings: TlsListen) -> Iterator[tuple[tuple[Step, ...], CertificateSettings]]:
    first = 0 if settings.certificate is None else 1
    for number, pair in enumerate(settings.pairs):
        yield () if number < first else ("certificates", number - first), pair


def _find(pair: CertificateSettings, path: tuple[Step, ...]) -> Iterator[CertificateFiles]:
    """Read a certificate, or those of a directory."""
    if not Path(pair.certificate).is_dir():
        yield _read_pair(pair, path)
        return
    place = (*path, "certificate")
    if pair.key is not None:
        raise TlsFileError(
            (*path, "key"), f"{pair.certificate} is a directory: expected its keys there"
        )
    found = list(_look_into(pair.certificate, place))
    if not found:
        raise TlsFileError(
            place,
            f"{pair.certificate} has no certificates: expected NAME.pem or NAME.crt with the key "
            f"in it or in NAME.key, or NAME/{_CERTBOT[0]} with NAME/{_CERTBOT[1]}",
        )
    for each in found:
        yield _telling(place, partial(_read_files, each, place))


def _look_into(directory: str, place: tuple[Step, ...]) -> Iterator[CertificateSettings]:
    """Find certificates as HAProxy and certbot lay them out, by name."""
    try:
        entries = sorted(Path(directory).iterdir())
    except OSError as error:
        raise TlsFileError(
            place, f"cannot read {directory} ({error.strerror}): check path and rights"
        ) from None
    for entry in entries:
        chain, key = (entry / name for name in _CERTBOT)
        if chain.is_file():
            yield CertificateSettings(certificate=str(chain), key=str(key))
        elif entry.suffix in _DIRECTORY_ENDS and entry.is_file():
            key = entry.with_suffix(".key")
            yield CertificateSettings(
                certificate=str(entry), key=str(key) if key.is_file() else None
            )


def _read_pair(pair: CertificateSettings, path: tuple[Step, ...]) -> CertificateFiles:
    try:
        chain = read_pem(pair.certificate)
    except PemError as problem:
        raise TlsFileError((*path, "certificate"), str(problem)) from None
    at_key = (*path, "certificate" if pair.key is None else "key")
    key = _telling(at_key, lambda: read_key(pair.key or pair.certificate))
    described = partial(describe, pair.certificate, chain, key, at_key)
    return _telling((*path, "certificate"), described)


def _read_files(pair: CertificateSettings, place: tuple[Step, ...]) -> CertificateFiles:
    """Read a pair of a directory, whose key is the one to blame for either."""
    content, key = read_pem(pair.certificate), read_key(pair.key or pair.certificate)
    return describe(pair.certificate, content, key, place)


def _make_certificate() -> CertificateFiles:
    made = _telling(("self_signed",), make_self_signed)
    return describe(SELF_SIGNED, made.chain, made.key)


def _telling(path: tuple[Step, ...], read: Callable[[], Result]) -> Result:
    try:
        return read()
    except PemError as problem:
        raise TlsFileError(path, str(problem)) from None


def _read_named(
    path: str | None, key: str, read: Callable[[str], bytes] = read_pem
) -> bytes | None:
    return None if path is None else _telling((key,), partial(read, path))


def _named_by(settings: TlsListen) -> Iterator[str | None]:
    """Yield all files that a listener's settings name, with those in their directories."""
    yield settings.client_ca
    yield settings.crl
    for path, pair in _pairs(settings):
        yield pair.certificate
        yield pair.key
        if Path(pair.certificate).is_dir():
            for found in _look_into(pair.certificate, (*path, "certificate")):
                yield found.certificate
                yield found.key


def _watch(paths: Iterable[str | None]) -> Watched:
    return tuple((path, signature_of(path)) for path in dict.fromkeys(filter(None, paths)))


def describe(
    path: str, content: bytes, key: bytes, place: tuple[Step, ...] = ()
) -> CertificateFiles:
    """Return a certificate with what it says of itself.

    Raises:
        PemError: there is none, or it cannot be understood.
    """
    blocks = find_certificates(content)
    if not blocks:
        raise PemError(f"{path} has no certificate: expected one in PEM")
    try:
        told = decode(blocks[0])
        expires_s = float(ssl.cert_time_to_seconds(told["notAfter"]))
    except (ssl.SSLError, ValueError):
        raise PemError(f"the certificate in {path} is broken: expected X.509 in PEM") from None
    names = tuple(_names_in(told))
    return CertificateFiles(path, b"".join(blocks), key, names, expires_s, place)


def decode(certificate: bytes) -> dict[str, Any]:
    """Return what a certificate in PEM says, in the form of `SSLSocket.getpeercert`.

    CPython has had this function since 2.6 for its own tests: it is that method's, for a file.

    Raises:
        ssl.SSLError: it is none.
    """
    with lent_as_file(certificate) as path:
        told: dict[str, Any] = _test_decode_cert(path)
    return told


def _names_in(told: dict[str, Any]) -> Iterator[str]:
    """Yield the names that it is for; the common name counts where there are no others.

    Clients have ceased to look at that one (RFC 9525), but it says whose certificate to show.
    """
    names = [text for kind, text in told.get("subjectAltName", ()) if kind == "DNS"]
    if not names:
        names = [
            text for part in told.get("subject", ()) for key, text in part if key == "commonName"
        ]
    yield from (name.lower().removesuffix(".") for name in names)
