"""The access log: one line for each answer, in the Common Log Format and a little more."""

import time
from dataclasses import dataclass

from spliceproxy.observe.line_buffer import LineBuffer
from tools.companions.origin.request import Request

# So that the lines of several workers on one pipe stay whole (PIPE_BUF, pipe(7)).
_MOST_TARGET_BYTES = 900
_MOST_METHOD_CHARACTERS = 20


@dataclass(slots=True)
class AccessLog:
    """Writes lines such as this one; how the answer ended stands last.

    127.0.0.1:5 - - [24/Nov/2026:09:00:00 +0000] "GET /a HTTP/1.1" 200 1249 0.3ms complete
    """

    lines: LineBuffer
    _second: int = 0
    _moment: str = ""

    def write(
        self,
        peer: str,
        request: Request | None,
        status: int,
        sent_bytes: int,
        took_s: float,
        end: str,
    ) -> None:
        """Write a line; `sent_bytes` are those that the socket took, header included."""
        moment = self._now()
        asked = "-" if request is None else _request_line(request)
        took = f"{took_s * 1000:.1f}ms"
        line = f'{peer} - - [{moment}] "{asked}" {status} {sent_bytes} {took} {end}\n'
        self.lines.write(line.encode("ascii"))

    def _now(self) -> str:
        second = int(time.time())
        if second != self._second:  # formatting costs more than the rest of the line
            self._second = second
            self._moment = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(second))
        return self._moment


def _request_line(request: Request) -> str:
    method = request.method[:_MOST_METHOD_CHARACTERS]
    target = request.target[:_MOST_TARGET_BYTES].decode("latin-1")
    return f"{_escape(method)} {_escape(target)} HTTP/{request.http_version}"


def _escape(text: str) -> str:
    """Keep a quote, a backslash or a control character from ending the field or the line."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else f"\\x{ord(c):02x}" for c in text)
