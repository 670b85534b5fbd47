"""The texts of the TLS settings. Without pydantic, for which `--help` does not wait."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from spliceproxy.errors import not_known, quote
from spliceproxy.settings.address import BACKEND_FORMS, Address, UnixAddress, parse_backend
from spliceproxy.settings.hosts import check_host, check_ipv6

MAX_FILE_PATH_BYTES = 4095  # PATH_MAX of Linux, without the NUL
CIPHER_PROFILES = ("intermediate", "modern")
PIN_PREFIX = "sha256//"
"""As curl's --pinnedpubkey has it."""

_A_CIPHER = "ECDHE-ECDSA-AES128-GCM-SHA256"
_CIPHER = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+)*")
_PIN = re.compile(r"sha256//[A-Za-z0-9+/]{43}=")
_MAX_RULE_LENGTH = 2048


def parse_file_path(text: str) -> str:
    """Return the path of a file that can stand in messages as it is."""
    if not text or not text.isprintable() or len(text.encode()) > MAX_FILE_PATH_BYTES:
        raise ValueError(
            f"{quote(text)} is not the path of a file: expected one such as /etc/ssl/site.pem"
        )
    return text


def parse_cipher(text: str) -> str:
    """Return the name of a profile, or of a cipher suite of TLS 1.2 as OpenSSL has it."""
    if text.startswith("TLS_"):
        raise ValueError(
            f"{quote(text)} is one of TLS 1.3, which cannot be chosen: expected names of TLS 1.2 "
            f"such as {_A_CIPHER}"
        )
    if text not in CIPHER_PROFILES and not _CIPHER.fullmatch(text):
        raise ValueError(
            f"{quote(text)} is not a cipher suite: expected {' or '.join(CIPHER_PROFILES)}, or "
            f"names such as {_A_CIPHER}"
        )
    return text


def parse_pin(text: str) -> str:
    """Return the digest of a public key."""
    if not _PIN.fullmatch(text):
        raise ValueError(
            f"{quote(text)} is not a pin: expected {PIN_PREFIX} and the SHA-256 of a public key in "
            "base64, 44 characters"
        )
    return text


def parse_rule(text: str) -> str:
    """Return a text that a field of a certificate is to be."""
    if not text or not text.isprintable() or len(text) > _MAX_RULE_LENGTH:
        raise ValueError(f"{quote(text)} cannot be in a certificate: expected a printable text")
    return text


def parse_peer_name(text: str) -> str:
    """Return a host name or IP address, without brackets, that a certificate has to have."""
    return check_ipv6(text) if ":" in text else check_host(text)


TLS_PREFIX = "tls://"
TLS_BACKEND_FORMS = f"{BACKEND_FORMS}; {TLS_PREFIX} before it for TLS"
_FLAGS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class TlsBackend:
    """A backend with which TLS is spoken, as on a command line."""

    address: Address
    options: dict[str, Any]
    """For `TlsDial`."""

    def __str__(self) -> str:
        return f"{TLS_PREFIX}{self.address}"


def parse_backend_option(text: str) -> Address | TlsBackend:
    """Return where to connect to, and whether by TLS; ValueError says what is wrong."""
    if not text.startswith(TLS_PREFIX):
        return parse_backend(text)
    place, _, query = text.removeprefix(TLS_PREFIX).partition("?")
    address, options = parse_backend(place), _parse_options(query)
    verify = options.get("verify", True)
    if isinstance(address, UnixAddress) and verify and "name" not in options:
        raise ValueError(f"{quote(text)} has no name to check: expected one, as in ?name=db")
    conflict = find_dial_conflict(options)
    if conflict is not None:
        raise ValueError(conflict[1])
    return TlsBackend(address, options)


def find_dial_conflict(options: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return an option of `DIAL_OPTIONS` that others leave without effect, and the reason."""
    for key, other in (("ca", "verify"), ("key", "certificate")):
        if key in options and not options.get(other, key == "ca"):
            what = "verify=false" if key == "ca" else "no certificate"
            return key, f"{key} has no effect with {what}: expected it to be left out"
    return None


def _parse_options(query: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in DIAL_OPTIONS:
            raise ValueError(f"option {not_known(name, tuple(DIAL_OPTIONS))}")
        if name in options:
            raise ValueError(f"option {name!r} is given twice: expected it once")
        try:
            options[name] = DIAL_OPTIONS[name](value)
        except ValueError as problem:
            raise ValueError(f"{name}={problem}") from None
    return options


def _parse_verify(text: str) -> bool:
    if text not in _FLAGS:
        raise ValueError(f"{quote(text)} is not understood: expected true or false")
    return _FLAGS[text]


DIAL_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "verify": _parse_verify,
    "ca": parse_file_path,
    "name": parse_peer_name,
    "certificate": parse_file_path,
    "key": parse_file_path,
}
"""How TLS is spoken with whoever is connected to, as options of a URL."""
