"""Who is let in by a certificate that is valid."""

import ssl
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from spliceproxy.formats.der import public_key_info
from spliceproxy.reasons import CLIENT_CERTIFICATE_REFUSED
from spliceproxy.settings.tls import ClientRules
from spliceproxy.tls.certificate_files import decode
from spliceproxy.tls.client_rules import find_pin, refuse_client

SUBJECT = "/O=Example/OU=ops/OU=web/CN=metrics"
NAMES = "DNS:One.internal.example.org,URI:spiffe://example.org/ns/web/job,email:a@example.org"


@cache
def made(kind: str = "ec") -> tuple[dict[str, Any], bytes, str]:
    """A certificate as it is told, in DER, and the pin of its key by openssl's commands."""
    keys = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}
    with TemporaryDirectory() as directory:
        key, certificate = Path(directory, "key"), Path(directory, "certificate")
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", *keys[kind], "-nodes", "-days", "2"),
                *("-subj", SUBJECT, "-addext", f"subjectAltName={NAMES}"),
                *("-keyout", key, "-out", certificate),
            ],
            check=True,
            capture_output=True,
        )
        shell = 'openssl pkey -in "$1" -pubout -outform DER | openssl dgst -sha256 -binary | base64'
        pin = subprocess.run(
            ["sh", "-c", shell, "sh", key], check=True, capture_output=True, text=True
        ).stdout.strip()
        pem = certificate.read_text()
    return decode(pem.encode()), ssl.PEM_cert_to_DER_cert(pem), f"sha256//{pin}"


def is_let_in(**rules: Any) -> bool:
    told, der, _ = made()
    reason = refuse_client(ClientRules(**rules), told, der)
    assert reason in (None, CLIENT_CERTIFICATE_REFUSED)
    return reason is None


@pytest.mark.parametrize(
    ("rules", "let_in"),
    [
        ({"cn": ("metrics",)}, True),
        ({"cn": ("other", "metrics")}, True),
        ({"cn": ("Metrics",)}, False),
        ({"cn": ("ops",)}, False),
        ({"ou": ("web",)}, True),
        ({"ou": ("ops",)}, True),
        ({"ou": ("metrics",)}, False),
        ({"dns": ("one.internal.example.org",)}, True),
        ({"dns": ("*.internal.example.org",)}, True),
        ({"dns": ("*.example.org",)}, False),
        ({"dns": ("metrics",)}, False),  # the common name is no host's
        ({"uri": ("spiffe://example.org/ns/web/job",)}, True),
        ({"uri": ("spiffe://example.org/*",)}, True),
        ({"uri": ("spiffe://example.org/ns/web/job/*",)}, False),
        ({"uri": ("spiffe://example.org/ns/web",)}, False),
        ({"uri": ("spiffe://example.organic/*",)}, False),
        ({"cn": ("other",), "ou": ("web",)}, True),
    ],
)
def test_one_match_is_enough(rules: dict[str, Any], let_in: bool) -> None:
    assert is_let_in(**rules) == let_in


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_pin_is_the_digest_of_the_public_key(kind: str) -> None:
    told, der, pin = made(kind)
    assert find_pin(der) == pin
    assert refuse_client(ClientRules(spki=(pin,)), told, der) is None
    other = f"sha256//{'A' * 43}="
    assert refuse_client(ClientRules(spki=(other,)), told, der) == CLIENT_CERTIFICATE_REFUSED


def test_who_shows_none_is_for_the_handshake_to_refuse() -> None:
    assert refuse_client(ClientRules(cn=("a",)), {}, None) is None
    assert refuse_client(ClientRules(cn=("a",)), None, None) is None


def test_a_certificate_without_names_matches_nothing() -> None:
    assert refuse_client(ClientRules(cn=("a",), dns=("a",)), {"version": 3}, made()[1])


def test_what_is_no_certificate_has_no_key() -> None:
    der = made()[1]
    for size in (0, 1, 5, 40, 200):
        with pytest.raises(ValueError, match="certificate"):
            public_key_info(der[:size])
    with pytest.raises(ValueError, match="not a certificate"):
        public_key_info(b"\x04" + der[1:])
