"""The answer of a parser that has not seen enough."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NeedMore:
    """What was given is the beginning of something valid."""

    length: int
    """Bytes to have in all before asking again makes sense; more than there are now.

    A socket that is only peeked at stays readable. This is what SO_RCVLOWAT takes.
    """
