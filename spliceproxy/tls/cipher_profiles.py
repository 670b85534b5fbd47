"""Mozilla's profiles of ciphers, as of version 5.8 of its guideline.

https://wiki.mozilla.org/Security/Server_Side_TLS. Without the three suites with DHE: they need
parameters that nobody has asked for, and all clients of the guideline's list have ECDHE. `modern`
is TLS 1.3 alone, whose suites OpenSSL chooses.
"""

INTERMEDIATE = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)

_PROFILES = {"intermediate": INTERMEDIATE, "modern": INTERMEDIATE}


def suites_of(ciphers: tuple[str, ...]) -> tuple[str, ...]:
    """Return the cipher suites of TLS 1.2 that the settings stand for."""
    return _PROFILES.get(ciphers[0], ciphers)
