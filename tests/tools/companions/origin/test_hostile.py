"""Whatever a client sends: answers that can be parsed, or a close, and the server goes on."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.companions.origin.limits import Limits

from .conftest import TEXT
from .serving import Reply, ask, replies, request, serving, talk

# Nobody waits for what never comes: the client ends its side when all is sent.
QUICK = Limits(idle_timeout_s=5, request_timeout_s=5, linger_timeout_s=0.1)
KNOWN = {200, 206, 301, 304, 400, 403, 404, 405, 412, 413, 416, 431, 501}
PIECES = [b"GET", b"HEAD", b"POST", b"CONNECT", b" ", b"/", b"/text.txt", b"/sub/../..", b"%2e%2e"]
PIECES += [b"%00", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"\r\n", b"\r\n\r\n", b"Host: a\r\n"]
PIECES += [b"Range: bytes=", b"0-0,", b"-5", b"If-None-Match: *\r\n", b'If-Range: W/"x"\r\n']
PIECES += [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n"]
PIECES += [b"Expect: 100-continue\r\n", b"Upgrade: x\r\nConnection: upgrade\r\n", b"\0", b"\xff"]

FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "Range": st.text("bytes=0123456789-, ", max_size=30).map("bytes={}".format),
        "If_Match": st.text('W/"*a, ', max_size=10),
        "If_None_Match": st.text('W/"*a, ', max_size=10),
        "If_Modified_Since": st.sampled_from(["Sun Nov  6 08:49:37 1994", "x", "0"]),
        "If_Unmodified_Since": st.sampled_from(["Sun, 06 Nov 1994 08:49:37 GMT", ""]),
        "If_Range": st.text('W/"a', max_size=6),
        "Content_Length": st.sampled_from(["0", "1", "x", "-1"]),
    },
)


@pytest.fixture(scope="module")
def small_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("root")
    (directory / "text.txt").write_bytes(TEXT)
    (directory / "sub").mkdir()
    return directory


async def exchange(directory: Path, sent: bytes, *, is_head: bool = False) -> list[Reply]:
    """Send bytes to a fresh server, which must serve another client after it."""
    async with serving(directory, limits=QUICK) as port:
        received = await talk(port, sent)
        assert (await ask(port, "/text.txt")).body == TEXT
    if is_head:  # what is malformed has no method yet, and gets a body
        received = received[: received.index(b"\r\n\r\n") + 4]
    return replies(received, is_head=is_head) if b"HEAD" not in sent or is_head else []


@settings(max_examples=60)
@given(sent=st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(PIECES)).map(b"".join)))
async def test_any_bytes(small_root: Path, sent: bytes) -> None:
    for reply in await exchange(small_root, sent):
        assert reply.status in KNOWN


@settings(max_examples=60)
@given(
    target=st.text("/.%2eftx?#ab:@\\~", max_size=30),
    method=st.sampled_from(["GET", "HEAD", "PUT"]),
    fields=FIELDS,
)
async def test_any_target_and_fields(
    small_root: Path, target: str, method: str, fields: dict[str, str]
) -> None:
    sent = request("/" + target, method, Connection="close", **fields)
    for reply in await exchange(small_root, sent, is_head=method == "HEAD"):
        assert reply.status in KNOWN
        assert reply.headers["server"] == "spliceproxy-origin"
