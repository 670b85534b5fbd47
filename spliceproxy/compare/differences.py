"""What differs between two answers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from spliceproxy.compare.ignored import IgnorePatterns
from spliceproxy.framing.frame import Frame

ABSENT = "(absent)"
_INDEX = re.compile(r"\[\d+\]")


class DifferenceLevel(StrEnum):
    """Where it shows, the gravest first."""

    ENDING = "ending"  # the connection ended otherwise
    FRAMES = "frames"  # an answer more or less, or one of another kind
    FIELD = "field"
    SIZE = "size"  # of an answer whose fields are not known
    DIGEST = "digest"  # as long, but not the same


LEVELS = tuple(DifferenceLevel)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Differences that are told as one: of answers to the same kind of request, at one place."""

    request: str
    level: DifferenceLevel
    field: str
    """Its path, with ``[*]`` for each index; in parentheses where it is no field."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One of one answer."""

    fingerprint: Fingerprint
    recorded: str
    new: str


def make_difference(
    request: str, level: DifferenceLevel, path: str, recorded: str, new: str
) -> Difference:
    """Return one, with its fingerprint."""
    return Difference(Fingerprint(request, level, _INDEX.sub("[*]", path)), recorded, new)


def compare_frames(recorded: Frame, new: Frame, ignored: IgnorePatterns) -> Iterator[Difference]:
    """Return how two answers to one request differ: by the deepest level that explains it."""
    request = recorded.asked.name
    if recorded.name != new.name:
        yield make_difference(
            request, DifferenceLevel.FRAMES, "(kind)", describe(recorded), describe(new)
        )
    elif recorded.digest == new.digest:
        return
    elif recorded.fields and new.fields:
        yield from _compare_fields(recorded, new, ignored)
    elif recorded.size != new.size:
        sizes = (f"{recorded.size} bytes", f"{new.size} bytes")
        yield make_difference(request, DifferenceLevel.SIZE, "(size)", *sizes)
    else:
        digests = (recorded.digest.hex(), new.digest.hex())
        yield make_difference(request, DifferenceLevel.DIGEST, "(digest)", *digests)


def _compare_fields(recorded: Frame, new: Frame, ignored: IgnorePatterns) -> Iterator[Difference]:
    seen: set[Fingerprint] = set()
    for path in {**recorded.fields, **new.fields}:
        values = recorded.fields.get(path, ABSENT), new.fields.get(path, ABSENT)
        if values[0] == values[1] or ignored.are_alike(*values):
            continue
        found = make_difference(recorded.asked.name, DifferenceLevel.FIELD, path, *values)
        if ignored.has_path(path) or ignored.has_path(found.fingerprint.field):
            continue
        if found.fingerprint not in seen:
            seen.add(found.fingerprint)
            yield found


def describe(frame: Frame) -> str:
    """Return an answer as a text: its kind, and the fields that fit."""
    told = ", ".join(f"{path}: {value}" for path, value in list(frame.fields.items())[:20])
    return f"{frame.name} ({told or f'{frame.size} bytes'})"
