"""What a kind of mirror is as users write it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from spliceproxy.settings.address import Address
from spliceproxy.settings.mirror_kinds.option import Option

if TYPE_CHECKING:
    from spliceproxy.settings.mirror import MirrorSettings

Direction = Literal["request", "response", "both"]
Overflow = Literal["detach", "gap", "spill", "block"]
Scope = Literal["connection", "route"]


@dataclass(frozen=True, slots=True)
class SinkSettings:
    """Where the copies go; what a kind does not have is empty."""

    target: str
    """As messages have it, and what only this kind reads: a directory, a path, a command."""
    address: Address | None = None
    """What is connected to."""
    command: tuple[str, ...] = ()
    """What is executed, program first."""
    own: Any = None
    """Whatever else only this kind knows of; it is pickled, and compared by `==`."""


class MirrorKind(ABC):
    """A scheme, what may stand behind it, and what is possible with it."""

    name: ClassVar[str]
    """The scheme."""
    form: ClassVar[str]
    """How it is written, for messages."""
    direction: ClassVar[Direction] = "request"
    """What is copied unless something else is asked for."""
    overflows: ClassVar[tuple[Overflow, ...]]
    """Its policies, for messages in this order."""
    options: ClassVar[Mapping[str, Option]] = {}
    """Those that other kinds do not have, by the names that users write."""
    escapes_question_marks: ClassVar[bool] = True
    """What is written may hold a ``?`` of its own, as ``%3F``."""
    has_plain_question_marks: ClassVar[bool] = False
    """A ``?`` is common in what is written: where options are apart, it means nothing else."""

    granted: ClassVar[bool] = False
    """Operators may attach it to a running proxy, if the configuration does not say otherwise."""
    is_attachable: ClassVar[bool] = True
    """Nobody can grant it otherwise: what it takes is read at a start or reload alone."""
    is_directory: ClassVar[bool] = False
    """The target is a directory: what may be attached are those below one that is granted."""
    starts_programs: ClassVar[bool] = False
    """What holds back a worker would hold back its programs."""
    keeps_answers: ClassVar[bool] = False
    """Its target is where another mirror's answers may be recorded, too."""

    def split(self, text: str) -> tuple[str, str]:
        """Return the mirror without its options, and the options."""
        name, _, query = text.partition("?")
        return name, query

    @abstractmethod
    def parse_sink(self, text: str, options: dict[str, Any]) -> SinkSettings:
        """Read what stands behind the scheme; ValueError says what is wrong and expected.

        Takes out of the options, which are by field, those that are no fields of the settings.
        """

    def find_conflict(self, options: Mapping[str, Any]) -> tuple[str, str] | None:
        """Return an option that another one rules out, and the reason."""
        return None

    def reserved_options(self, mirror: "MirrorSettings") -> list[str]:
        """Return those of its options, as they are set here, that only a configuration may have.

        An operator who may attach the kind may not, since they concern what others have written.
        """
        return []

    def where_answers_go(self, mirror: "MirrorSettings") -> str | None:
        """Return the target of the mirror that is to record its answers; None: nobody does."""
        return None

    def tls_options(self, mirror: "MirrorSettings") -> dict[str, Any] | None:
        """Return the fields of `TlsDial` by which its peer is spoken to; None: without TLS."""
        return None

    def write_options(self, mirror: "MirrorSettings") -> dict[str, Any]:
        """Return its own options as a routes file has them."""
        return {}
