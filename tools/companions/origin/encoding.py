"""An answer becomes the bytes of a header, and what of its body follows."""

import time

import h11

from tools.companions.origin.answer import Answer, Part
from tools.companions.origin.validators import format_date

SERVER = "spliceproxy-origin"
_NO_BODY = 304  # nor a length: it would be that of the answer 200 (RFC 9110, 8.6)


class _UnseenBody:
    """Stands for a body in h11, which counts the bytes and need not see them."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length


def encode(
    http: h11.Connection, answer: Answer, *, is_head: bool
) -> tuple[bytes, tuple[Part, ...]]:
    """Return header and body as they go out, and let h11 take the whole answer as sent."""
    headers = [("Date", format_date(int(time.time()))), ("Server", SERVER), *answer.headers]
    if answer.status != _NO_BODY:
        headers.append(("Content-Length", str(answer.body_bytes)))
    if http.their_state is not h11.DONE:  # the rest of the request is never read
        headers.append(("Connection", "close"))
    reason = answer.status.phrase.encode("ascii")
    response = h11.Response(status_code=answer.status, headers=headers, reason=reason)
    header = http.send(response) or b""
    body = () if is_head or answer.status == _NO_BODY else answer.body
    if body:
        stand_in: bytes = _UnseenBody(answer.body_bytes)  # type: ignore[assignment]
        http.send_with_data_passthrough(h11.Data(data=stand_in))
    http.send(h11.EndOfMessage())
    return header, body
