"""Lines of text protocols, as they come before TLS."""

import re

from spliceproxy import reasons
from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.starttls.negotiation import MAX_BYTES, StartTlsError

MAX_COMMANDS = 16
"""Of a client before TLS: one asks what there is, and for TLS; some ask who the server is."""

_END = b"\r\n"
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def read_line(data: bytes, most_bytes: int, why: str) -> bytes | NeedMore:
    """Return the first line, without its end.

    Raises:
        StartTlsError: it is too long, is not printable, or ends otherwise. `why` is its name.
    """
    end = data.find(b"\n", 0, most_bytes)
    if end < 0:
        if len(data) >= most_bytes:
            raise StartTlsError(why, f"a line of more than {most_bytes} bytes")
        return NeedMore(len(data) + 1)
    line = data[: end + 1]
    if not line.endswith(_END):
        # Where one side reads a line's end that another does not, commands are smuggled.
        raise StartTlsError(why, "a line that ends without CR")
    line = line[: -len(_END)]
    if _CONTROL.search(line):
        raise StartTlsError(why, "a control character")
    return line


def size_of(line: bytes) -> int:
    """Return how many bytes a line has with its end."""
    return len(line) + len(_END)


def end_line(line: str) -> bytes:
    """Return a line with its end; what has no place in it is not sent."""
    text = line.encode("ascii", "replace").replace(b"\r", b"").replace(b"\n", b"")
    return text[: MAX_BYTES - len(_END)] + _END


class CommandCount:
    """Bounds how many commands a client has before TLS."""

    __slots__ = ("_count",)

    def __init__(self) -> None:
        self._count = 0

    def add(self, last_words: bytes) -> None:
        """Count one.

        Raises:
            StartTlsError: it is one too many.
        """
        self._count += 1
        if self._count > MAX_COMMANDS:
            detail = f"{MAX_COMMANDS} commands, and none for TLS"
            raise StartTlsError(reasons.NO_STARTTLS, detail, last_words)
