"""Mirrors whose answers are to be recorded in a capture that can't have them."""

import os
from collections.abc import Iterator, Sequence

from spliceproxy.errors import alternatives, quote
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.settings.mirror_kinds.table import KINDS
from spliceproxy.settings.proxy import RouteSettings
from spliceproxy.settings.reach import Path


def find_lost_answers(routes: Sequence[RouteSettings]) -> Iterator[tuple[int, Path, str]]:
    """Return what is wrong: the route's number, the path within it, and a message."""
    for number, route in enumerate(routes):
        for place, mirror in enumerate(route.mirrors):
            what = _what_is_wrong(mirror, route.mirrors)
            if what is not None:
                yield number, ("mirrors", place, "answers"), f"{quote(mirror.text)}: {what}"


def _what_is_wrong(mirror: MirrorSettings, mirrors: Sequence[MirrorSettings]) -> str | None:
    """Return why nothing could be compared, or more than answers would be at risk."""
    wanted = KINDS[mirror.kind].where_answers_go(mirror)
    if wanted is None:
        return None
    directory = os.path.normpath(wanted)
    captures = [one for one in mirrors if KINDS[one.kind].keeps_answers]
    found = [one for one in captures if os.path.normpath(one.target) == directory]
    if not found:
        names = [quote(one.text) for one in captures]
        has = f"that of {alternatives(names)}" if names else "one, and the route has none"
        return f"answers are recorded in a capture: mirror of the same route: expected {has}"
    if found[0].direction != "both":
        return "answers are compared with the backend's: expected direction=both of the capture"
    if found[0].is_vital:
        return (
            "answers may fill the disk, and with overflow=block of the capture end the traffic:"
            " expected a capture of its own with detach or gap"
        )
    return None
