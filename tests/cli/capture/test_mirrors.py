"""Answers of mirrors: apart from what clients had, and as whole dialogues."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.capture.test_packets import experts
from tests.cli.capture.conftest import Run, objects
from tests.cli.capture.test_writing import tshark
from tests.compare.mirrored import MIRROR, MirroredTraffic

CLIENT, SHADOW = "0000000000000001-1", "0000000000000001-101"


@pytest.fixture
def mirrored(tmp_path: Path) -> Path:
    traffic = MirroredTraffic(tmp_path / "mirrored")
    traffic.exchange([(b"question\n", b"answer\n", b"another\n")])
    traffic.capture.seal()
    return traffic.directory


def test_they_are_listed_when_they_are_asked_for(mirrored: Path, capture: Run) -> None:
    status, out, _ = capture("connections", mirrored, "--json")
    assert status == 0
    assert [(one["connection"], one["mirror"]) for one in objects(out)] == [(CLIENT, None)]
    for pattern in ("*", "tcp:*", MIRROR):
        _, out, _ = capture("connections", mirrored, "--json", "--mirror", pattern)
        [found] = objects(out)
        assert (found["connection"], found["mirror"]) == (SHADOW, MIRROR)
        assert found["mirror_of"] == CLIENT
    assert capture("connections", mirrored, "--json", "--mirror", "unix:*")[1] == ""


def test_a_dialogue_has_what_was_sent(mirrored: Path, capture: Run) -> None:
    status, out, _ = capture("show", mirrored, SHADOW, "--protocol", "raw")
    assert status == 0
    assert f"mirror {MIRROR}, mirror_of {CLIENT}" in out
    lines = [line.strip() for line in out.splitlines()[2:]]
    assert lines[:4] == [
        "+0.001000s → request, 9 bytes at 0",
        "question",
        "+0.003000s ← response, 8 bytes at 0",
        "another",
    ]
    assert capture("show", mirrored, SHADOW, "--raw", "request")[1] == "question\n"


def test_packets_are_whole_conversations(
    mirrored: Path, capture: Run, program: Callable[[str], str], tmp_path: Path
) -> None:
    program("tshark")
    for words, ends in (
        ((), ["192.0.2.1", "192.0.2.2"]),
        (("--mirror", "*"), ["192.0.2.1", "192.0.2.9"]),
        (("--connection", SHADOW), ["192.0.2.1", "192.0.2.9"]),
    ):
        path = tmp_path / "packets"
        assert capture("pcapng", mirrored, "-o", path, *words)[0] == 0
        assert sorted(set(tshark(path, "ip.src"))) == ends
        assert [size for size in tshark(path, "tcp.len") if size != "0"][:1] == ["9"]
        assert experts(path) == []
