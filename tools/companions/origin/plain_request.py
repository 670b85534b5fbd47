"""Recognizes the plainest of requests: a GET whose answer depends on nothing but its target."""

import re

# Fields that change nothing about a file that is sent whole, over a connection that stays open.
# What is not among them (conditions, ranges, bodies, Connection: close) is none of a plain request.
_HARMLESS = (
    rb"(?:accept(?:-charset|-encoding|-language)?|cache-control|connection(?=: keep-alive\r)|cookie"
    rb"|dnt|forwarded|from|origin|pragma|priority|referer|upgrade-insecure-requests|user-agent|via"
    rb"|(?:sec|x)-[a-z0-9-]+)"
)
_VALUE = rb": [!-~][ -~]*+\r\n"
_FIELDS = rb"(?:" + _HARMLESS + _VALUE + rb")*+"
_PLAIN = re.compile(
    rb"(?-i:GET) (/[!-~]*) (?-i:HTTP)/1\.1\r\n" + _FIELDS + rb"host" + _VALUE + _FIELDS + rb"\r\n",
    re.IGNORECASE,
)

_MOST_BYTES = 4096


def plain_target(received: bytes) -> bytes | None:
    """Return the target of a request that is plain and that all of these bytes are; else None.

    It is stricter than HTTP: whatever it accepts, h11 understands in the same way, and whatever
    it declines is for h11 to judge.
    """
    found = _PLAIN.fullmatch(received) if len(received) <= _MOST_BYTES else None
    return None if found is None else found[1]
