"""Runs framers over bytes, whole or in pieces."""

from spliceproxy.framing.frame import Frame
from spliceproxy.framing.wire_protocol import Framer, WireProtocol


def frames(framer: Framer, data: bytes, cuts: list[int]) -> list[Frame]:
    found: list[Frame] = []
    start = 0
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        found += framer.feed(data[start:cut])
        start = cut
    return found + framer.end()


def converse(
    protocol: WireProtocol, request: bytes, response: bytes, cuts: list[int] | None = None
) -> tuple[list[Frame], list[Frame]]:
    """All of the request comes before the response."""
    requests, answers = protocol.make()
    return frames(requests, request, cuts or []), frames(answers, response, cuts or [])
