"""Whether a client is let in with whom TLS is agreed on."""

from types import SimpleNamespace
from typing import Any

import pytest

from spliceproxy.reasons import CLIENT_CERTIFICATE_REFUSED
from spliceproxy.tls.agreed import refuse

PAST, FUTURE = "Jan  1 00:00:00 2024 GMT", "Jan  1 00:00:00 2124 GMT"


@pytest.mark.parametrize(
    ("until", "is_resumed", "expected"),
    [
        (FUTURE, True, None),
        (PAST, True, CLIENT_CERTIFICATE_REFUSED),
        (PAST, False, None),  # OpenSSL has refused the handshake
        (None, True, None),
    ],
)
def test_a_session_does_not_outlive_the_certificate_that_it_began_with(
    until: str | None, is_resumed: bool, expected: str | None
) -> None:
    told = None if until is None else {"notAfter": until}
    tls = SimpleNamespace(getpeercert=lambda: told, session_reused=is_resumed)
    sock: Any = SimpleNamespace(tls=tls)
    settings: Any = SimpleNamespace(rules=None)
    assert refuse(sock, settings) == expected
