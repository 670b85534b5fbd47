"""An answer before it is sent: a status, headers, and a body of pages and parts of one file."""

import os
from dataclasses import dataclass
from http import HTTPStatus

from tools.companions.origin.ranges import ByteRange
from tools.companions.origin.refusals import Headers, Refusal
from tools.companions.origin.validators import FileVersion

Part = bytes | ByteRange


@dataclass(frozen=True, slots=True)
class OpenFile:
    """An open regular file, which version of it that is, and its name, for its type.

    `path` is where below the root it was found.
    """

    fd: int
    version: FileVersion
    name: str
    path: bytes = b""

    def close(self) -> None:
        """Close it."""
        os.close(self.fd)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes out for a request. Whoever has it closes its file."""

    status: HTTPStatus
    headers: Headers = ()
    body: tuple[Part, ...] = ()
    file: OpenFile | None = None

    @property
    def body_bytes(self) -> int:
        """The value of Content-Length."""
        return sum(part.length if isinstance(part, ByteRange) else len(part) for part in self.body)

    def close(self) -> None:
        """Close the file, if there is one."""
        if self.file is not None:
            self.file.close()


def page(status: HTTPStatus, body: bytes, media_type: str, headers: Headers = ()) -> Answer:
    """Return an answer whose body is in memory."""
    return Answer(status, (*headers, ("Content-Type", media_type)), (body,))


def error_page(refusal: Refusal) -> Answer:
    """Return the page for a request that is refused; it repeats nothing of the request."""
    why = f": {refusal.why}" if refusal.why else ""
    body = f"{refusal.status.value} {refusal.status.phrase}{why}\n".encode()
    return page(refusal.status, body, "text/plain; charset=utf-8", refusal.headers)
