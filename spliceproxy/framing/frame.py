"""One message of a stream."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is, as far as its answers are concerned."""

    name: str = ""
    """Of its kind, such as ``GET /users/*``; requests that are alike have the same."""
    text: str = ""
    """A line for people."""
    method: str = ""
    """What decides how its answer is framed."""
    upgrade: str = ""
    """Which protocol it offers to go on in."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A message: where it is, and what is in it."""

    offset: int
    """In the stream of its direction."""
    size: int
    """In bytes."""
    name: str
    """Of its kind."""
    digest: bytes
    """Of its meaning: the same for messages that differ only in how they are written."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """By path; empty: there are more than are kept, and the digest is all that there is."""
    asked: Asked = Asked()
    """The request that it answers, if that is known."""
    number: int = 0
    """Of the request that it answers, or of itself if it is a request; from 0 on."""
    is_push: bool = False
    """Nobody has asked for it, so that its place among answers is chance."""
    is_whole: bool = True
    """Else the stream has ended within it, or goes on as no such protocol does."""
