"""The one length of a request that is put right: Content-Length of HTTP/1 (RFC 9112, 6.2)."""

import re

_REQUEST_LINE = re.compile(rb"[A-Z]{3,16} [^ \r\n]+ HTTP/1\.[01]\r\n")
_CONTENT_LENGTH = re.compile(rb"(?im)^(content-length:[ \t]*)(\d{1,18})(?=[ \t]*\r$)")
_CODED = re.compile(rb"(?im)^transfer-encoding:")


def missing_body_bytes(data: bytes) -> int:
    """Return how much a request lacks of its body; 0 if it is none, or its length is not known."""
    head, blank, body = data.partition(b"\r\n\r\n")
    length = _body_bytes(head) if blank and _REQUEST_LINE.match(data) else None
    return max(0, length - len(body)) if length is not None else 0


def _body_bytes(head: bytes) -> int | None:
    """Return what a head says, if it says it once."""
    lengths = _CONTENT_LENGTH.findall(head + b"\r\n")
    return int(lengths[0][1]) if len(lengths) == 1 and not _CODED.search(head) else None


def fit_content_length(before: bytes, after: bytes) -> bytes | None:
    """Return what a request has become, with its length; None: that can't be put right.

    It can in a piece that is one request as a whole, from its first line to the end of its body.
    """
    if not _REQUEST_LINE.match(after):
        return None
    head, _, body = before.partition(b"\r\n\r\n")
    new_head, blank, new_body = after.partition(b"\r\n\r\n")
    if not blank:
        return None
    if not body and not (_CONTENT_LENGTH.search(head + b"\r\n") or _CODED.search(head)):
        return after
    if _body_bytes(head) != len(body):
        return None
    number = str(len(new_body)).encode()
    repaired = _CONTENT_LENGTH.sub(rb"\g<1>" + number, new_head + b"\r\n")
    return repaired + b"\r\n" + new_body
