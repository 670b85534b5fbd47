"""What `tcp:`, `tls:` and `unix:` have alike: a peer that may answer, and where its answers go."""

from abc import ABC
from collections.abc import Callable, Mapping
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
class OwnOption:
    """The value of an option that only these kinds have."""

    value: Any
    written: Any
    """The same as the user wrote it."""


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What only these kinds have."""

    answers: OwnOption | None = None
    """The directory of the capture that answers are recorded in; None: they are discarded."""
    tls: tuple[tuple[str, OwnOption], ...] = ()
    """How TLS is spoken with the peer, if it is."""


def own_option(name: str, parse: Callable[[str], Any]) -> Option:
    """Return an option of these kinds that is kept as it was written, too."""
    return Option(name, lambda text: OwnOption(parse(text), written_in(text)))


def _parse_answers(text: str) -> str:
    if not text.startswith(_PREFIX):
        raise ValueError(f"{quote(text)} is no capture: expected {CaptureKind.form}")
    return parse_path(CaptureKind.name, text.removeprefix(_PREFIX))


class StreamKind(MirrorKind, ABC):
    """A connection for each stream."""

    granted = True
    overflows = ("detach", "spill", "block")  # a stream cannot have a hole that nobody would see
    options: ClassVar[Mapping[str, Option]] = {"answers": own_option("answers", _parse_answers)}

    def take_own(self, options: dict[str, Any]) -> StreamOptions:
        """Take the own options out of those that were given."""
        return StreamOptions(options.pop("answers", None))

    def find_conflict(self, options: Mapping[str, Any]) -> tuple[str, str] | None:
        """See `MirrorKind.find_conflict`."""
        if "answers" in options and options.get("direction", self.direction) != "request":
            what = "answers are those to requests: expected direction=request with it"
            return "answers", what
        return None

    def where_answers_go(self, mirror: "MirrorSettings") -> str | None:
        """See `MirrorKind.where_answers_go`."""
        own: StreamOptions = mirror.own
        return None if own.answers is None else str(own.answers.value)

    def reserved_options(self, mirror: "MirrorSettings") -> list[str]:
        """See `MirrorKind.reserved_options`."""
        return [] if mirror.own.answers is None else ["answers"]

    def write_options(self, mirror: "MirrorSettings") -> dict[str, Any]:
        """See `MirrorKind.write_options`."""
        own: StreamOptions = mirror.own
        return {} if own.answers is None else {"answers": own.answers.written}
