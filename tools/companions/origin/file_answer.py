"""The answer to a request for a file: not modified, whole, or in part (RFC 9110, 13 to 15)."""

import secrets
from http import HTTPStatus

from tools.companions.origin.answer import Answer, OpenFile, Part
from tools.companions.origin.conditions import Verdict, judge, range_applies
from tools.companions.origin.media_types import media_type
from tools.companions.origin.ranges import ByteRange, UnsatisfiableError, parse_ranges
from tools.companions.origin.refusals import Headers, Refusal
from tools.companions.origin.request import Request
from tools.companions.origin.validators import FileVersion, format_date


def answer_file(file: OpenFile, request: Request, now_s: float) -> Answer:
    """Answer a GET or HEAD; `now_s` is the time since 1970.

    Raises:
        Refusal: 412 when a precondition fails, 416 when no range is in the file.
    """
    version = file.version
    headers = _validators(version, now_s)
    verdict = judge(request.headers, version)
    if verdict is Verdict.FAILED:
        raise Refusal(HTTPStatus.PRECONDITION_FAILED)
    if verdict is Verdict.NOT_MODIFIED:
        return Answer(HTTPStatus.NOT_MODIFIED, headers, (), file)
    kind = media_type(file.name)
    ranges = _wanted_ranges(request, version, now_s)
    if not ranges:
        whole = (ByteRange(0, version.size_bytes),) if version.size_bytes else ()
        return Answer(HTTPStatus.OK, (*headers, ("Content-Type", kind)), whole, file)
    if len(ranges) == 1:
        content_range = ranges[0].content_range(version.size_bytes)
        headers = (*headers, ("Content-Type", kind), ("Content-Range", content_range))
        return Answer(HTTPStatus.PARTIAL_CONTENT, headers, ranges, file)
    return _several_ranges(file, ranges, kind, headers)


def _validators(version: FileVersion, now_s: float) -> Headers:
    # A date in the future would be no validator for as long as it is one (RFC 9110, 8.8.2.1).
    modified_s = min(version.modified_s, int(now_s))
    return (
        ("Accept-Ranges", "bytes"),
        ("ETag", version.etag),
        ("Last-Modified", format_date(modified_s)),
    )


def _wanted_ranges(request: Request, version: FileVersion, now_s: float) -> tuple[ByteRange, ...]:
    """Return the ranges to send, none for the whole file; a HEAD knows no ranges (14.2)."""
    header = request.headers.get("range")
    if header is None or request.method != "GET":
        return ()
    if not range_applies(request.headers, version, now_s):
        return ()
    try:
        return parse_ranges(header, version.size_bytes)
    except UnsatisfiableError:
        size = (("Content-Range", f"bytes */{version.size_bytes}"),)
        raise Refusal(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=size) from None


def _several_ranges(
    file: OpenFile, ranges: tuple[ByteRange, ...], kind: str, headers: Headers
) -> Answer:
    """Return a 206 whose body has each range with a header of its own (RFC 9110, 14.6).

    The boundary is random, so that no file can be made to contain it (RFC 2046, 5.1.1).
    """
    boundary = secrets.token_hex(16)
    body: list[Part] = []
    for part in ranges:
        content_range = part.content_range(file.version.size_bytes)
        opening = (
            f"\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {content_range}\r\n\r\n"
        )
        body += [opening.encode(), part]
    body.append(f"\r\n--{boundary}--\r\n".encode())
    multipart = ("Content-Type", f"multipart/byteranges; boundary={boundary}")
    return Answer(HTTPStatus.PARTIAL_CONTENT, (*headers, multipart), tuple(body), file)
