"""Who is let in, of clients whose certificate is valid: a decision without any input or output."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from spliceproxy.formats.der import public_key_info
from spliceproxy.reasons import CLIENT_CERTIFICATE_REFUSED
from spliceproxy.settings.tls import ClientRules
from spliceproxy.settings.tls_texts import PIN_PREFIX

_BELOW = "/*"


def refuse_client(
    rules: ClientRules, told: Mapping[str, Any] | None, certificate: bytes | None
) -> str | None:
    """Return why a client is refused, or None if it is let in.

    ``told`` is what `SSLSocket.getpeercert` says of its certificate, None or empty without one;
    ``certificate`` is the same in DER. Whether one is required is not decided here: the handshake
    fails then.
    """
    if not told or certificate is None:
        return None
    return None if _matches(rules, told, certificate) else CLIENT_CERTIFICATE_REFUSED


def _matches(rules: ClientRules, told: Mapping[str, Any], certificate: bytes) -> bool:
    subject, names = list(_subject(told)), told.get("subjectAltName", ())
    return (
        any(("commonName", name) in subject for name in rules.cn)
        or any(("organizationalUnitName", name) in subject for name in rules.ou)
        or any(kind == "DNS" and _is_host(rules, name) for kind, name in names)
        or any(kind == "URI" and _is_uri(rules, name) for kind, name in names)
        or (bool(rules.spki) and find_pin(certificate) in rules.spki)
    )


def _subject(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for part in told.get("subject", ()):
        yield from part


def _is_host(rules: ClientRules, name: str) -> bool:
    """Compare a name; where the certificate has a wildcard, it takes a rule of that very text."""
    lower = name.lower().removesuffix(".")
    _, _, parent = lower.partition(".")
    return any(rule.lower() in (lower, f"*.{parent}") for rule in rules.dns)


def _is_uri(rules: ClientRules, name: str) -> bool:
    return any(
        name.startswith(rule.removesuffix("*")) if rule.endswith(_BELOW) else name == rule
        for rule in rules.uri
    )


def find_pin(certificate: bytes) -> str:
    """Return the pin of a certificate's public key.

    Raises:
        ValueError: it is no certificate.
    """
    digest = hashlib.sha256(public_key_info(certificate)).digest()
    return PIN_PREFIX + base64.b64encode(digest).decode("ascii")
