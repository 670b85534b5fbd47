"""What is taken for plain: h11 must understand the same, or it is left to h11."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.companions.origin.plain_request import plain_target
from tools.companions.origin.request import collect_headers

WRK = b"GET /1k HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
CURL = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n"
FIREFOX = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Mozilla/5.0 (X11; rv:109.0)\r\n"
    b"Accept: text/html;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n"
    b"Accept-Encoding: gzip, deflate, br\r\nDNT: 1\r\nConnection: keep-alive\r\n"
    b"Cookie: a=b; c=d\r\nSec-Fetch-Dest: document\r\nUpgrade-Insecure-Requests: 1\r\n"
    b"X-Forwarded-For: 10.0.0.1\r\n\r\n"
)
# What changes an answer, or how the connection goes on (RFC 9110, 8 to 14; RFC 9112, 6 to 9).
TELLING = [
    b"Connection: close",
    b"Connection: keep-alive, close",
    b"Content-Length: 0",
    b"Transfer-Encoding: chunked",
    b"Expect: 100-continue",
    b"Range: bytes=0-1",
    b"If-Range: x",
    b"If-Match: *",
    b"If-None-Match: *",
    b"If-Modified-Since: x",
    b"If-Unmodified-Since: x",
    b"Upgrade: h2c",
    b"Host: second",
    b"Unheard-Of: x",
]


@pytest.mark.parametrize(
    ("received", "target"), [(WRK, b"/1k"), (CURL, b"/a?b=c"), (FIREFOX, b"/")]
)
def test_usual_requests_are_plain(received: bytes, target: bytes) -> None:
    assert plain_target(received) == target


@pytest.mark.parametrize("field", TELLING)
def test_what_changes_the_answer_is_not_plain(field: bytes) -> None:
    for received in (WRK, CURL, FIREFOX):
        assert plain_target(received[:-2] + field + b"\r\n\r\n") is None
        first, rest = received.split(b"\r\n", 1)
        assert plain_target(b"\r\n".join([first, field, rest])) is None


@pytest.mark.parametrize(
    "received",
    [
        b"",
        WRK[:-1],
        WRK + b"G",
        WRK + WRK,
        b"\r\n" + WRK,
        WRK.replace(b"\r\n", b"\n"),
        WRK.replace(b"GET", b"HEAD"),
        WRK.replace(b"GET", b"get"),
        WRK.replace(b"HTTP", b"http"),
        WRK.replace(b"1.1", b"1.0"),
        WRK.replace(b"/1k", b"http://x/1k"),
        WRK.replace(b"/1k", b"*"),
        b"GET /1k HTTP/1.1\r\nAccept: */*\r\n\r\n",
        b"GET /1k HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
        b"GET /1k HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /1k HTTP/1.1\r\nHost: x\r\nAccept: \x00\r\n\r\n",
        b"GET /1k HTTP/1.1\r\nHost: x\r\nX-Long: " + b"y" * 5000 + b"\r\n\r\n",
    ],
)
def test_what_is_left_to_h11(received: bytes) -> None:
    assert plain_target(received) is None


PIECES = [WRK[:18], b"Host: x\r\n", b"HOST: y \r\n", b"\r\n", b"GET ", b"/", b" HTTP/1.1\r\n"]
PIECES += [field + b"\r\n" for field in TELLING]
PIECES += [b"Accept: a\tb\r\n", b"X-1: \xff\r\n", b"connection: Keep-Alive\r\n", b"x-:\r\n", b" "]
PIECES += [b"Connection: keep-alive\r\n", b"Via: 1.1 x\r\n", b"%2e%2e/", b"\n", b"\x00", b":"]


def edited(base: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Cut and put in, at places counted from the beginning."""
    for place, count, piece in edits:
        where = place % (len(base) + 1)
        base = base[:where] + piece + base[where + count :]
    return base


EDITS = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.integers(0, 3),
        st.one_of(st.sampled_from(PIECES), st.binary(max_size=3)),
    ),
    max_size=3,
)
FIELDS = st.lists(st.sampled_from(PIECES), max_size=6).map(
    lambda fields: b"GET /x HTTP/1.1\r\n" + b"".join(fields) + b"\r\n"
)
RECEIVED = st.one_of(
    st.builds(edited, st.sampled_from([WRK, CURL, FIREFOX]), EDITS),
    st.builds(edited, FIELDS, EDITS),
    st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join),
)


@given(RECEIVED)
def test_h11_understands_the_same(received: bytes) -> None:
    target = plain_target(received)
    if target is None:
        return
    http = h11.Connection(h11.SERVER)
    http.receive_data(received)
    request = http.next_event()
    assert isinstance(request, h11.Request)
    assert (request.method, request.target, request.http_version) == (b"GET", target, b"1.1")
    assert isinstance(http.next_event(), h11.EndOfMessage)
    assert http.their_state is h11.DONE
    assert http.trailing_data == (b"", False)
    assert not http.they_are_waiting_for_100_continue
    answer_depends_on = {"range", "expect", "upgrade", "content-length", "transfer-encoding"}
    headers = collect_headers(request.headers)
    assert not answer_depends_on & headers.keys()
    assert not any(name.startswith("if-") for name in headers)
    http.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
    http.send(h11.EndOfMessage())
    http.start_next_cycle()  # refused unless both sides go on
