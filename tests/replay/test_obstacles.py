"""What cannot be replayed is said, by the first bytes of connections."""

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.cli.main import run
from spliceproxy.replay.obstacles import Obstacle, find_obstacle
from spliceproxy.replay.replay_options import Pace
from tests.capture.recorded import Recorded
from tests.formats.hellos import real_hello
from tests.ports import free_port
from tests.replay.recordings import replayed, talk
from tests.replay.target import target_of

STARTUP = struct.pack("!II", 17, 3 << 16) + b"user\0me\0\0"
SSL_REQUEST, GSS_REQUEST = struct.pack("!II", 8, 80877103), struct.pack("!II", 8, 80877104)
SCRAM = b"R\0\0\0\x17" + struct.pack("!I", 10) + b"SCRAM-SHA-256\0\0"
MD5 = b"R\0\0\0\x0c" + struct.pack("!I", 5) + b"salt"
TRUST, PASSWORD = (b"R\0\0\0\x08" + struct.pack("!I", code) for code in (0, 3))
GREETING = b"J\0\0\0\x0a8.0.36\0" + bytes(66)
MYSQL = struct.pack("<IIB", 1 << 15, 1 << 24, 33) + bytes(23) + b"root\0"


def packet(payload: bytes, number: int = 1) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


@pytest.mark.parametrize(
    ("request_bytes", "response", "expected"),
    [
        (STARTUP, SCRAM, Obstacle.POSTGRES_LOGIN),
        (STARTUP, MD5, Obstacle.POSTGRES_LOGIN),
        (SSL_REQUEST + STARTUP, b"N" + SCRAM, Obstacle.POSTGRES_LOGIN),
        (GSS_REQUEST + SSL_REQUEST + STARTUP, b"NN" + MD5, Obstacle.POSTGRES_LOGIN),
        (SSL_REQUEST + b"\x16\x03", b"S\x16\x03", Obstacle.TLS),
        (STARTUP, TRUST, None),
        (SSL_REQUEST + STARTUP, b"N" + PASSWORD, None),
        (real_hello("example.org"), b"", Obstacle.TLS),
        (b"\x16\x03\x01\x00\x05\x02", b"", None),
        (packet(MYSQL + b"\x14" + bytes(20)), GREETING, Obstacle.MYSQL_LOGIN),
        (packet(MYSQL + b"\0"), GREETING, None),
        (packet(MYSQL[:32]) + b"\x16\x03\x01", GREETING, Obstacle.TLS),
        (b"*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n", b"+OK\r\n", None),
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", None),
        (b"", b"220 mail\r\n", None),
    ],
)
def test_what_first_bytes_show(
    request_bytes: bytes, response: bytes, expected: Obstacle | None
) -> None:
    assert find_obstacle(request_bytes, response) == expected


STARTS = st.sampled_from(
    [b"", STARTUP, SSL_REQUEST, SCRAM, GREETING, b"N", b"\x16\x03", b"\1\0\0\1"]
)


@given(request_bytes=st.tuples(STARTS, st.binary()), response=st.tuples(STARTS, st.binary()))
def test_all_bytes_have_an_answer(
    request_bytes: tuple[bytes, bytes], response: tuple[bytes, bytes]
) -> None:
    find_obstacle(b"".join(request_bytes), b"".join(response))


def record(directory: Path) -> None:
    recorded = Recorded(directory)
    hello = real_hello("example.org")
    talk(recorded, 1, [hello[:5], hello[5:]])
    talk(recorded, 2, [hello, bytes(5000)], 1)
    recorded.open(3, 2)
    recorded.data(3, STARTUP, 2)
    recorded.data(3, SCRAM, 2, direction="response")  # without an end
    talk(recorded, 4, [b"hello"], 3)
    recorded.open(5, 4, is_continued=True)
    recorded.data(5, hello, 4, offset=100)
    recorded.close(5, 5)
    talk(recorded, 6, [hello], 6, route="other")
    recorded.seal()


SAID = [
    "connections with TLS: 2; the target can't read ciphertext",
    "connections that log in to PostgreSQL with a challenge (SCRAM, MD5 or GSS): 1; the recorded",
    "connections that began before the capture did, and are skipped: 1; replay --incomplete send",
]


@pytest.mark.parametrize("copies", [1, 2])
async def test_a_replay_says_what_it_has_seen(tmp_path: Path, copies: int) -> None:
    record(tmp_path)
    async with target_of() as target:
        end = await replayed(tmp_path, target.address, Pace.MAX, copies=copies)
    expected = [*SAID]
    expected[0] = expected[0].replace("2", "3")
    assert end.is_complete
    assert len(end.hints) == len(expected)
    assert all(line.startswith(said) for line, said in zip(end.hints, expected, strict=True))
    assert end.summary["hints"] == end.hints


def test_so_does_a_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path)
    words = ["replay", str(tmp_path), "--to", f"127.0.0.1:{free_port()}", "--dry-run"]
    assert run([*words, "--route", "default", "--copies", "3"]) == 0
    told = capsys.readouterr()
    lines = told.err.splitlines()
    assert len(lines) == len(SAID)
    assert all(
        line.startswith(f"spliceproxy: {said}") for line, said in zip(lines, SAID, strict=True)
    )
    assert lines == [f"spliceproxy: {hint}" for hint in json.loads(told.out)["hints"]]
    assert run([*words, "--route", "default", "--incomplete", "send"]) == 0
    assert "skipped: " not in capsys.readouterr().err
