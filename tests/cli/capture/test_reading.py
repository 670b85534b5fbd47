"""`spliceproxy capture ls`, `connections` and `show`."""

import os
from pathlib import Path
from zlib import crc32

import pytest

from spliceproxy.cli.capture.choice import parse_time
from tests.capture.growing import Growing
from tests.capture.recorded import BEGAN_NS, Recorded
from tests.capture.test_clocks import record as record_jump
from tests.cli.capture.conftest import FIRST, SECOND, THIRD, Run, objects

BEGAN = "2026-09-21T14:13:20"


def test_segments_by_their_state(directory: Path, capture: Run) -> None:
    crashed = Recorded(directory, writer=3, is_open=True)
    crashed.open(1)
    crashed.gap(1, 0, 5, 20)
    path = crashed.seal()
    path.write_bytes(path.read_bytes() + b"cut")
    with Growing(directory, writer=2) as growing:
        growing.open(1, 0)
        growing.data(1, b"abc", 10)
        growing.write()
        growing.data(1, b"not whole", 11)
        del growing._data[-3:]
        growing.write(is_whole=False)
        status, out, err = capture("ls", directory, "--json")
        found = objects(out)
        assert [each["state"] for each in found] == [
            "without an index",
            "being written",
            "left by a crash",
            "without an index",
        ]
        assert [each["connections"] for each in found] == [2, 1, 1, 1]
        assert [each["gaps"] for each in found] == [1, 0, 1, 0]
        assert (found[1]["first"], found[1]["last"]) == (f"{BEGAN}.000000Z", f"{BEGAN}.010000Z")
        assert found[1]["bytes"] == growing.path.stat().st_size
        assert found[0]["span_s"] == 0.009
        # What is being written has no end yet; what a crash has cut off is lost.
        assert (status, err) == (
            1,
            f"incomplete: {path}: 3 bytes are no whole record, at {_end(path)}\n",
        )
        table = capture("ls", directory)[1].splitlines()
        assert table[0].split() == [
            "segment",
            "first",
            "span",
            "connections",
            "size",
            "gaps",
            "state",
        ]
        assert [line.endswith("left by a crash") for line in table[1:]] == [
            False,
            False,
            True,
            False,
        ]


def _end(path: Path) -> int:
    return path.stat().st_size - 3


def test_damage_is_told_also_where_somebody_writes(tmp_path: Path, capture: Run) -> None:
    with Growing(tmp_path) as growing:
        growing.open(1)
        growing.data(1, b"abc")
        growing.end_block()
        growing._data[-50] ^= 1
        growing.write(is_whole=False)
        status, _, err = capture("ls", tmp_path)
    assert status == 1
    assert "checksum is wrong" in err


def test_connections_as_a_table(directory: Path, capture: Run) -> None:
    status, out, err = capture("connections", directory)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    heads = "connection began duration route client backend request response gaps reason"
    assert lines[0].split() == heads.split()
    assert [line.split()[0] for line in lines[1:]] == [FIRST, THIRD, SECOND]  # that goes on
    first = f"{FIRST} {BEGAN}.000000Z 0.0s web 192.0.2.1:40001 192.0.2.2:80 27 B 4.9 KiB 1"
    assert lines[1].split() == [*first.split(), "backend_reset"]


def test_connections_as_json(directory: Path, capture: Run) -> None:
    found = {
        each["connection"]: each for each in objects(capture("connections", directory, "--json")[1])
    }
    assert found[FIRST]["ends"] == {"request": "end", "response": "reset"}
    assert (found[FIRST]["missing_bytes"], found[FIRST]["is_whole"]) == (10, False)
    assert (found[THIRD]["duration_s"], found[THIRD]["server_name"]) == (2.0, "Example.org")
    assert (found[SECOND]["reason"], found[SECOND]["request_bytes"]) == (None, 3)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--route web", [FIRST]),
        ("--client 192.0.2.1", [FIRST]),
        ("--client 192.0.2.0/25", [FIRST]),
        ("--client 2001:db8::/32", [THIRD]),
        ("--backend 192.0.2.2:80", [FIRST, THIRD]),
        ("--backend 198.51.100.1", [SECOND]),
        ("--server-name example.ORG", [THIRD]),
        ("--min-bytes 4KiB", [FIRST]),
        ("--reason backend_reset", [FIRST]),
        (f"--from {BEGAN}.500Z", [THIRD]),
        (f"--until {BEGAN}.500", [FIRST, SECOND]),
        (f"--until {BEGAN}.008+00:00 --from {BEGAN}.007Z", [FIRST, SECOND]),
        ("--route web --client 192.0.2.200", []),
    ],
)
def test_filters(directory: Path, capture: Run, options: str, expected: list[str]) -> None:
    status, out, _ = capture("connections", directory, "--json", *options.split())
    assert [each["connection"] for each in objects(out)] == expected
    assert status == 0


def test_times_are_utc_or_a_while_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: BEGAN_NS + 60 * 10**9)
    assert parse_time("1m") == BEGAN_NS == parse_time(BEGAN) == parse_time(f"{BEGAN}Z")
    assert parse_time(f"{BEGAN}.000001Z") == BEGAN_NS + 1000
    assert parse_time("2026-09-21T16:13:20+02:00") == BEGAN_NS


def test_a_dialogue(directory: Path, capture: Run) -> None:
    status, out, err = capture("show", directory, FIRST, "--limit", 32, "--protocol", "raw")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"connection {FIRST}, route web, client 192.0.2.1:40001, backend 192.0.2.2:80",
        f"began {BEGAN}.000000Z, request 27 B, response 4.9 KiB",
        "+0.001000s → request, 18 bytes at 0",
        r"    GET / HTTP/1.1\r",
        r"    \r",
        "+0.002000s ← response, 5009 bytes at 0",
        "    00000000  1b 5b 33 31 6d 72 65 64  07 78 78 78 78 78 78 78  |.[31mred.xxxxxxx|",
        "    00000010  78 78 78 78 78 78 78 78  78 78 78 78 78 78 78 78  |xxxxxxxxxxxxxxxx|",
        "    … 4.9 KiB more",
        "+0.003000s → request: 10 bytes are missing from 18 on: file_enospc",
        "+0.004000s → request, 9 bytes at 28",
        "    größer",
        "+0.005000s → request ends at 37",
        "+0.006000s ← response was broken off at 5009",
        "+0.007000s is over: backend_reset",
    ]


def test_a_dialogue_in_the_form_that_is_asked_for(directory: Path, capture: Run) -> None:
    out = capture("show", directory, FIRST, "--text", "--direction", "response", "--limit", 9)[1]
    assert r"    \x1b[31mred\x07" in out.splitlines()
    assert "request," not in out.split("\n", 2)[2]
    out = capture("show", directory, FIRST, "--hex", "--direction", "request")[1]
    assert "    0000001c  67 72 c3 b6 c3 9f 65 72  0a" in out
    assert "b?" in capture("show", directory, SECOND)[1]


def test_nothing_of_the_traffic_reaches_the_terminal(tmp_path: Path, capture: Run) -> None:
    recorded = Recorded(tmp_path)
    everything = bytes(range(256)) + "\u202e\u2028\x85".encode()
    recorded.open(1, client=everything.decode("latin-1"))
    for start in range(0, len(everything), 8):
        recorded.data(1, everything[start : start + 8], offset=start)
    recorded.gap(1, 1000, 1, reason="\x1b]0;title\x07")
    recorded.close(1, reason="\x1b[2J")
    recorded.seal()
    for form in ("--text", "--hex"):
        out = capture("show", tmp_path, FIRST, form)[1]
        assert all(char.isprintable() for line in out.splitlines() for char in line)
    out = capture("connections", tmp_path)[1]
    assert all(char.isprintable() for line in out.splitlines() for char in line)


def test_the_bytes_of_a_direction(directory: Path, capture: Run) -> None:
    status, out, err = capture("show", directory, FIRST, "--raw", "response")
    assert (status, err) == (0, "")
    assert out == "\x1b[31mred\x07" + "x" * 5000
    status, out, err = capture("show", directory, FIRST, "--raw", "request")
    assert out == "GET / HTTP/1.1\r\n\r\ngrößer\n"
    assert (status, err) == (1, "incomplete: 10 bytes are missing from 18 on: file_enospc\n")


def test_what_is_missing_without_a_record_is_told(tmp_path: Path, capture: Run) -> None:
    recorded = Recorded(tmp_path)
    recorded.open(1, is_continued=True)
    recorded.data(1, b"a", offset=7)
    recorded.data(1, b"b", offset=10)
    recorded.seal()
    status, out, err = capture("show", tmp_path, FIRST, "--raw", "request")
    assert (status, out) == (1, "ab")
    assert err.splitlines() == [
        "incomplete: 7 bytes are missing from 0 on: it was before the capture",
        "incomplete: 2 bytes are missing from 8 on: its segment is not there",
    ]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("ls /nonexistent", "'/nonexistent': No such file or directory; expected a directory"),
        ("ls EMPTY", "no capture is in there"),
        ("connections DIR --from yesterday", "--from: 'yesterday' is not understood"),
        ("connections DIR --client 10.0.0.1/8", "expected 10.0.0.0/8"),
        ("show DIR x\x1b", "'x\\x1b' is no connection; expected one such as"),
        (f"show DIR {FIRST} --protocol smtp", "use one of these"),
        (f"show DIR {FIRST} --protocol redis --hex", "leave out --protocol"),
        ("show DIR 0000000000000001-9", "spliceproxy capture connections lists"),
        ("show DIR 0000000000000009-1", "spliceproxy capture connections lists"),
        ("prune DIR", "give --max-age, --max-total or --keep-free"),
        ("prune DIR --max-age 0s", "--max-age: "),
        ("prune /nonexistent --max-age 1d", "'/nonexistent': No such file or directory"),
        ("pcapng DIR -o /nonexistent/x", "'/nonexistent/x': No such file or directory"),
        ("pcapng DIR -o - --connection 0000000000000001-9", "has nothing of the connection"),
        ("follow /nonexistent", "'/nonexistent': No such file or directory"),
        ("follow DIR --pcapng --hex", "--pcapng has all bytes"),
    ],
)
def test_mistakes_are_one_line(
    directory: Path, tmp_path: Path, capture: Run, command: str, said: str
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    words = command.replace("DIR", str(directory)).replace("EMPTY", str(empty)).split(" ")
    status, _, err = capture(*words)
    assert status == 2
    assert said in err
    assert len(err.splitlines()) == 1


def test_what_cannot_be_read_is_one_line_each_and_the_rest_is_told(
    directory: Path, capture: Run
) -> None:
    first, second = sorted(directory.iterdir())
    data = bytearray(first.read_bytes())
    data[8] = 2
    data[60:64] = _checksum(data[:60])
    first.write_bytes(data)
    nothing = first.with_name(first.name.replace("-000000", "-000007"))
    nothing.mkdir()
    for command in ("ls", "connections", "pcapng"):
        arguments = ["-o", os.devnull] if command == "pcapng" else ["--json"]
        status, out, err = capture(command, directory, *arguments)
        assert status == 1
        assert len(out.splitlines()) == (command != "pcapng")
        line, other = sorted(err.splitlines())
        assert line.startswith(f"incomplete: {first}: a capture of version 2")
        assert other == f"incomplete: {nothing}: Is a directory"
    assert second.exists()
    status, _, err = capture("show", directory, FIRST)
    assert (status, len(err.splitlines())) == (2, 2)  # it may be in what cannot be read


def _checksum(data: bytes | bytearray) -> bytes:
    return crc32(data).to_bytes(4, "little")


def test_a_clock_that_was_set_is_one_line(tmp_path: Path, capture: Run) -> None:
    record_jump(tmp_path, -3_600_000)
    for command in ("ls", "connections", "show", "pcapng"):
        options = {"show": [FIRST, "--hex"], "pcapng": ["-o", os.devnull]}.get(command, [])
        status, out, err = capture(command, tmp_path, *options)
        assert status == 0
        [line] = err.splitlines()
        assert line.startswith("clock: the clock was set back by 3600.0 s before segment 000001 of")
        assert "-3" not in out
        if command == "show":
            assert [each.split("s ")[0] for each in out.splitlines() if each[0] == "+"] == [
                *("+0.001000", "+0.006000", "+0.007000"),
            ]
    found = objects(capture("ls", tmp_path, "--json")[1])
    assert sorted(each["first"][11:] for each in found) == [
        *("13:13:20.000000Z", "13:13:20.005000Z", "13:13:20.010000Z"),
    ]
