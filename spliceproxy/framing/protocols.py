"""Which protocols there are, by name and by the first bytes of a connection."""

from importlib.metadata import entry_points

from spliceproxy.errors import UsageProblem, not_known, quote
from spliceproxy.framing.http1 import HTTP1
from spliceproxy.framing.length import length_protocol, parse_length_format
from spliceproxy.framing.lines import LINES
from spliceproxy.framing.postgres import POSTGRES
from spliceproxy.framing.raw import RAW
from spliceproxy.framing.redis import REDIS
from spliceproxy.framing.wire_protocol import WireProtocol

ENTRY_POINT_GROUP = "spliceproxy.framers"
GUESS_BYTES = 1024
"""Of each direction, that `guess_protocol` looks at."""

_KNOWN = {one.name: one for one in (REDIS, HTTP1, POSTGRES, LINES, RAW)}
"""In the order in which they are asked whether it is theirs."""


def find_protocol(text: str) -> WireProtocol:
    """Return the protocol of that name, which may have options behind a colon.

    Raises:
        UsageProblem: there is none, or its options are wrong.
    """
    name, _, options = text.partition(":")
    if name == "length":
        try:
            return length_protocol(parse_length_format(options))
        except ValueError as problem:
            raise UsageProblem(
                f"--protocol length: {problem}",
                "expected such as length:offset=0,size=4,endian=big,inclusive=no,header=4",
            ) from None
    if options:
        raise UsageProblem(f"--protocol {name}: it has no options", f"write {name}")
    found = _KNOWN.get(name) or _from_packages(name)
    if found is None:
        others = sorted(point.name for point in entry_points(group=ENTRY_POINT_GROUP))
        known = [*_KNOWN, "length", *others]
        raise UsageProblem(f"--protocol: {not_known(name, known)}", "use one of these")
    return found


def _from_packages(name: str) -> WireProtocol | None:
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        try:
            found = point.load()
        except (ImportError, AttributeError) as problem:
            raise UsageProblem(
                f"--protocol {quote(name)}: {point.value} cannot be loaded: {problem}",
                "repair the package that offers it",
            ) from None
        if not isinstance(found, WireProtocol):
            raise UsageProblem(
                f"--protocol {quote(name)}: {point.value} is no WireProtocol",
                "have the entry point name one",
            )
        return found
    return None


def guess_protocol(request: bytes, response: bytes) -> WireProtocol:
    """Return what a connection is likely to speak, by the first bytes of both directions."""
    return next((one for one in _KNOWN.values() if one.recognises(request, response)), RAW)
