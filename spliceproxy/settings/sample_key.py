"""The secret that samples are drawn with, as users write it."""

from typing import Annotated

from pydantic import PlainSerializer

from spliceproxy.errors import quote
from spliceproxy.settings.fields import described, reads

LEAST_KEY_LENGTH = 16
FILE_PREFIX = "file:"
KEY_VARIABLE = "SPLICEPROXY_SAMPLE_KEY"
"""Where it stands without a routes file. There is no option: others can read a command line."""


def parse_sample_key(text: str) -> str:
    """Return a secret, or `file:` and the path of one; no message has any part of a secret."""
    path = text.removeprefix(FILE_PREFIX)
    if path != text:
        if not path.startswith("/") or not path.isprintable():
            raise ValueError(f"{quote(text)} is no file: expected one such as file:/etc/sample.key")
    elif len(text) < LEAST_KEY_LENGTH:
        raise ValueError(
            f"is no key: expected {LEAST_KEY_LENGTH} or more characters, as from: "
            "openssl rand -hex 16; or file:/PATH"
        )
    return text


def _hide(text: str) -> str:
    return text if text.startswith(FILE_PREFIX) else "(sample-key-not-shown)"


SampleKey = Annotated[
    str,
    reads(parse_sample_key),
    PlainSerializer(_hide),
    described("secret, or file:/PATH", {"type": "string", "minLength": len("file:/a")}),
]
