"""Problems that are told to the user in one line, and the exit status that goes with each."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from enum import IntEnum


class ExitStatus(IntEnum):
    """What the process returns; part of the command's interface, so numbers never change."""

    OK = 0  # asked to stop, and stopped
    REFUSED = 1  # a configuration file, or an order to a running proxy, was refused
    UNFIT = 1  # doctor: what the proxy is for, or the file asks for, cannot be had here
    DIFFERENT = 1  # compare: answers differ
    REPLAY_FAILED = 1  # replay: connections failed, or it has not come to its end
    INCOMPLETE = 1  # capture: something of it could not be read, or is missing
    USAGE = 2  # the command line or the environment was refused
    START = 3  # bind, permission, a missing kernel feature, a name that does not resolve
    BOOT = 4  # workers fail to boot
    INTERNAL = 70  # a fault of spliceproxy's own (EX_SOFTWARE in sysexits.h)


class Problem(Exception):  # noqa: N818 - it is the user's to solve, not an error of the program
    """What went wrong, and what to do about it. Never raised itself."""

    status: ExitStatus = ExitStatus.INTERNAL

    def __init__(self, message: str, remedy: str) -> None:
        # Both go to Exception, so that copies and pickles of the exception keep them.
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return one_line(f"{self.message}; {self.remedy}")


class RefusedFile(Problem):
    """A configuration file has mistakes, told one by one before this line."""

    status = ExitStatus.REFUSED

    def __init__(self, message: str, remedy: str, mistakes: tuple[str, ...]) -> None:
        super().__init__(message, remedy)
        self.mistakes = mistakes


class AskingProblem(Problem):
    """A running proxy did not answer, or refused what it was asked."""

    status = ExitStatus.REFUSED


class UsageProblem(Problem):
    """The command line or the environment asks for something impossible."""

    status = ExitStatus.USAGE


class StartProblem(Problem):
    """The system refuses what a correct command line asks for."""

    status = ExitStatus.START


class BootProblem(Problem):
    """Workers end before they accept their first connection."""

    status = ExitStatus.BOOT


CUT = "..."
"""Ends a text that `quote` has cut."""


def one_line(text: str) -> str:
    """Return `text` with line breaks and runs of blanks as single spaces."""
    return " ".join(text.split())


def quote(text: str) -> str:
    """Return a user's text as it may stand in a message: printable, and not too long."""
    short = text if len(text) <= 60 else text[:57] + CUT
    return repr(short) if short.isprintable() else ascii(short)


def suggest(word: str, known: Iterable[str]) -> str:
    """Return the known word that a misspelt one is nearest to, as a part of a message, or ""."""
    nearest = get_close_matches(word[:60].lower(), known, n=1)
    return f" (did you mean {nearest[0]!r}?)" if nearest else ""


def not_known(word: str, known: Sequence[str]) -> str:
    """Return a message that a word is none of those known, with the nearest of them, and all."""
    nearest = get_close_matches(word[:60].lower(), known, n=1)
    if nearest:
        return f"{quote(word)} is not known; did you mean {nearest[0]!r}? ({', '.join(known)})"
    return f"{quote(word)} is not known: expected {alternatives(known)}"


def alternatives(names: Sequence[str]) -> str:
    """Return the names as a list for a sentence."""
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
