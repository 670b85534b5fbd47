"""What `tcp:`, `tls:` and `unix:` have alike: a peer that may answer, and where its answers go."""

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from spliceproxy.errors import quote
from spliceproxy.settings.mirror_kinds.capture import CaptureKind
from spliceproxy.settings.mirror_kinds.kind import MirrorKind
from spliceproxy.settings.mirror_kinds.option import Option
from spliceproxy.settings.mirror_kinds.paths import parse_path
from spliceproxy.settings.written import written_in

if TYPE_CHECKING:
    from spliceproxy.settings.mirror import MirrorSettings

_PREFIX = f"{CaptureKind.name}:"


@dataclass(frozen=True, slots=True)
class DialOption:
    """How TLS is spoken, in one respect."""

    name: str
    value: Any
    written: Any
    """The value as the user wrote it."""


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What only these kinds have."""

    answers: str | None = None
    """The directory of the capture that answers are recorded in; None: they are discarded."""
    written: str = ""
    """The same as the user wrote it."""
    tls: tuple[DialOption, ...] = ()
    """How TLS is spoken with the peer, if it is."""


def _parse_answers(text: str) -> StreamOptions:
    if not text.startswith(_PREFIX):
        raise ValueError(f"{quote(text)} is no capture: expected {CaptureKind.form}")
    return StreamOptions(parse_path(CaptureKind.name, text.removeprefix(_PREFIX)), written_in(text))


class StreamKind(MirrorKind, ABC):
    """A connection for each stream."""

    granted = True
    overflows = ("detach", "spill", "block")  # a stream cannot have a hole that nobody would see
    options: ClassVar[Mapping[str, Option]] = {"answers": Option("answers", _parse_answers)}

    def take_own(self, options: dict[str, Any]) -> StreamOptions | None:
        """Take the own options out of those that were given; None: there are none."""
        own: StreamOptions | None = options.pop("answers", None)
        return own

    def find_conflict(self, options: Mapping[str, Any]) -> tuple[str, str] | None:
        """See `MirrorKind.find_conflict`."""
        if "answers" in options and options.get("direction", self.direction) != "request":
            what = "answers are those to requests: expected direction=request with it"
            return "answers", what
        return None

    def where_answers_go(self, mirror: "MirrorSettings") -> str | None:
        """See `MirrorKind.where_answers_go`."""
        own: StreamOptions | None = mirror.own
        return None if own is None else own.answers

    def reserved_options(self, mirror: "MirrorSettings") -> list[str]:
        """See `MirrorKind.reserved_options`."""
        return [] if self.where_answers_go(mirror) is None else ["answers"]

    def write_options(self, mirror: "MirrorSettings") -> dict[str, Any]:
        """See `MirrorKind.write_options`."""
        own: StreamOptions | None = mirror.own
        return {} if own is None or own.answers is None else {"answers": own.written}
