"""`spliceproxy capture show`: messages of the protocol, and bytes where there are none."""

import re
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.capture import Closed, ConnectionId, Data
from spliceproxy.capture.events import Direction
from spliceproxy.cli.capture.dialogue import Dialogue
from spliceproxy.cli.capture.framed_dialogue import FramedDialogue
from spliceproxy.framing.wire_protocol import WireProtocol
from tests.capture.recorded import Recorded
from tests.cli.capture.conftest import FIRST, Run
from tests.framing.test_any_bytes import BYTES, PROTOCOLS

Piece = tuple[str, bytes]


def show(directory: Path, capture: Run, pieces: Sequence[Piece], *options: str) -> list[str]:
    """Return the dialogue of pieces that come a millisecond after one another."""
    recorded = Recorded(directory)
    recorded.open(1)
    lengths = {"request": 0, "response": 0}
    for at_ms, (direction, data) in enumerate(pieces, 1):
        recorded.data(1, data, at_ms, direction=direction, offset=lengths[direction])
        lengths[direction] += len(data)
    recorded.close(1, 99)
    recorded.seal()
    status, out, err = capture("show", directory, FIRST, *options)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[-1] == "+0.099000s is over: closed"
    return lines[1:-1]


def test_commands_of_redis(tmp_path: Path, capture: Run) -> None:
    pieces = [
        ("request", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nan x"),
        ("request", b"\x1b\r\n*2\r\n$6\r\nLRANGE\r\n$1\r\nl\r\n\r\nPING\r\n"),
        ("response", b"+OK\r\n*3\r\n$1\r\na\r\n:1\r\n$-1\r\n+PO"),
        ("response", b"NG\r\n>1\r\n+bye\r\n-gone"),
    ]
    head, *lines = show(tmp_path, capture, pieces)
    assert head.endswith(", redis")
    assert lines == [
        r'+0.002000s → SET k "an x\x1b" (from +0.001000s on)',
        "+0.002000s → LRANGE l",
        "+0.002000s → request, 2 bytes at 54: between messages",
        r"    \r",
        "+0.002000s → PING",
        "+0.003000s ← +OK",
        "+0.003000s ← 3 elements",
        '    [0] "a"',
        "    [1] :1",
        "    [2] null",
        "+0.004000s ← +PONG (from +0.003000s on)",
        "+0.004000s ← unasked: 1 elements",
        "    [0] +bye",
        "+0.099000s ← response, 5 bytes at 42: no message of redis (from +0.004000s on)",
        "    -gone",
    ]


def test_messages_of_http(tmp_path: Path, capture: Run) -> None:
    chunked = b"Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
    pieces = [
        ("request", b'POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"\xc3\xa4"'),
        ("response", b"HTTP/1.1 200 OK\r\n" + chunked + b'a\r\n{"a":[1,2]\r\n1\r\n}\r\n0\r\n\r\n'),
        ("request", b"GET / HTTP/1.0\r\n\r\n"),
        ("response", b"HTTP/1.0 404 No\r\nX: \x07\r\n\r\n" + bytes(range(20))),
    ]
    head, *lines = show(tmp_path, capture, pieces)
    assert head.endswith(", http1")
    assert lines[:6] == [
        "+0.001000s → POST /a?b HTTP/1.1",
        "    Host: a",
        "    Content-Length: 4",
        "    ",
        '    "ä"',
        "+0.002000s ← HTTP/1.1 200 OK",
    ]
    assert lines[8:14] == [
        "    ",
        "    (without its encoding)",
        "    body.a[0]: 1",
        "    body.a[1]: 2",
        "+0.003000s → GET / HTTP/1.0",
        "+0.099000s ← HTTP/1.0 404 No (from +0.004000s on)",
    ]
    assert lines[14:16] == [r"    X: \x07", "    "]
    assert lines[16].endswith(
        "  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|"
    )


def message(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("!I", len(payload) + 4) + payload


def test_messages_of_postgres(tmp_path: Path, capture: Run) -> None:
    startup = b"\0\3\0\0user\0me\0database\0a b\0\0"
    row = struct.pack("!Hi1si", 2, 1, b"1", -1)
    pieces = [
        ("request", b"\0\0\0\x08\x04\xd2\x16\x2f"),
        ("response", b"N"),
        ("request", struct.pack("!I", len(startup) + 4) + startup),
        ("response", message(b"R", struct.pack("!I", 0)) + message(b"S", b"TimeZone\0UTC\0")),
        ("response", message(b"Z", b"I")),
        ("request", message(b"Q", b"SELECT 1,\nNULL\0")),
        ("response", message(b"T", b"\0\2one\0" + bytes(18) + b"no\0" + bytes(18))),
        ("response", message(b"D", row) + message(b"C", b"SELECT 1\0")),
        ("request", message(b"P", b"s1\0SELECT $1\0\0\0") + message(b"S", b"")),
        ("response", message(b"E", b"SERROR\0C42601\0Msyntax\0\0") + message(b"Z", b"I")),
    ]
    head, *lines = show(tmp_path, capture, pieces)
    assert head.endswith(", postgres")
    assert [line.split("s ", 1)[1] if line[0] == "+" else line for line in lines] == [
        "→ SSLRequest",
        "← encryption N",
        '→ startup user me database "a b"',
        "← AuthenticationOk",
        "← ParameterStatus TimeZone: UTC",
        "← ReadyForQuery I",
        "→ Query SELECT 1,",
        "    NULL",
        "← RowDescription one, no",
        "← DataRow [0]=1, [1]=NULL",
        "← CommandComplete SELECT 1",
        "→ Parse s1 SELECT $1",
        "→ Sync",
        "← ErrorResponse S ERROR, C 42601, M syntax",
        "← ReadyForQuery I",
    ]


def test_a_protocol_can_be_told_or_left_aside(tmp_path: Path, capture: Run) -> None:
    pieces = [("request", b"\0\2h"), ("request", b"i\0\x01\xff"), ("response", b"+OK\r\n")]
    told = show(tmp_path, capture, pieces, "--protocol", "length:size=2")
    assert told == [
        "began 2026-09-21T14:13:20.000000Z, request 7 B, response 5 B, length",
        "+0.002000s → request, 4 bytes at 0: message (from +0.001000s on)",
        f"    00000000  00 02 68 69 {' ' * 38}|..hi|",
        "+0.002000s → request, 3 bytes at 4: message",
        f"    00000004  00 01 ff {' ' * 41}|...|",
        "+0.099000s ← response, 5 bytes at 0: no message of length (from +0.003000s on)",
        r"    +OK\r",
    ]
    for options in (["--text"], ["--protocol", "raw"]):
        assert (
            "+0.002000s → request, 4 bytes at 3"
            in capture("show", tmp_path, FIRST, *options)[1].splitlines()
        )


def test_bytes_are_told_behind_a_gap_and_before_the_capture(tmp_path: Path, capture: Run) -> None:
    recorded = Recorded(tmp_path)
    recorded.open(1)
    recorded.data(1, b"PING\r\nPI", 1)
    recorded.gap(1, 8, 4, 2, reason="lag")
    recorded.data(1, b"PING\r\n", 3, offset=12)
    recorded.data(1, b"+PONG\r\n", 4, direction="response", offset=7)
    recorded.seal()
    out = capture("show", tmp_path, FIRST, "--protocol", "redis")[1].splitlines()
    assert out[2:] == [
        "+0.001000s → PING",
        "+0.002000s → request, 2 bytes at 6: no message of redis (from +0.001000s on)",
        "    PI",
        "+0.002000s → request: 4 bytes are missing from 8 on: lag",
        "+0.003000s → request, 6 bytes at 12",
        r"    PING\r",
        "+0.004000s ← response: 7 bytes are missing from 0 on: it was before the capture",
        "+0.004000s ← response, 7 bytes at 7",
        r"    +PONG\r",
    ]


def test_what_is_long_is_cut_and_says_so(tmp_path: Path, capture: Run) -> None:
    body = b"x" * 3000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n"
    words = b"".join(b"$2\r\n%d\r\n" % (number + 10) for number in range(50))
    pieces = [
        ("request", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("response", head + body[:1000]),
        ("response", body[1000:]),
    ]
    lines = show(tmp_path, capture, pieces, "--limit", "100", "--direction", "response")
    assert lines[-1] == "    … 2.9 KiB more"
    assert len(lines) == 6
    other = tmp_path / "other"
    other.mkdir()
    lines = show(
        other, capture, [("response", b"*50\r\n" + words)], "--limit", "50", "--protocol=redis"
    )
    assert lines[-1] == "    … 45 lines more"
    pieces = [("request", b"PING " + body + b"\r\n")]
    third = tmp_path / "third"
    third.mkdir()
    assert show(third, capture, pieces, "--limit", "50", "--protocol=redis")[1].endswith(
        " 2955 more"
    )


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@given(
    pieces=st.lists(st.tuples(st.sampled_from(["request", "response"]), BYTES), max_size=8),
    limit=st.integers(1, 300),
)
def test_all_bytes_are_told_whatever_they_are(
    protocol: WireProtocol, pieces: list[tuple[Direction, bytes]], limit: int
) -> None:
    dialogue = FramedDialogue(protocol, Dialogue(None, None, limit), began_ns=0)
    connection, lines = ConnectionId(1, 1), []
    lengths: dict[Direction, int] = {"request": 0, "response": 0}
    for direction, data in pieces:
        event = Data(connection, 1, direction, lengths[direction], data, is_checked=True)
        lengths[direction] += len(data)
        lines += [line for _, entry in dialogue.entries(event) for line in entry]
        assert all(len(side.held) <= limit for side in dialogue._sides.values())
    lines += [line for _, entry in dialogue.entries(Closed(connection, 2, {})) for line in entry]
    assert all(char.isprintable() for line in lines for char in line)
    assert lines[-1] == "is over: "
    for direction, side in dialogue._sides.items():
        plain = re.compile(rf"[→←] {direction}, (\d+) bytes at \d+")
        pieces_told = sum(int(found[1]) for found in map(plain.fullmatch, lines) if found)
        assert (side.told, side.told + pieces_told) == (side.end, lengths[direction])
