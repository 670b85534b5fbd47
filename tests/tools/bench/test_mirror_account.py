import json
from pathlib import Path

import pytest

from tests.capture.recorded import Recorded
from tools.bench import mirror_account
from tools.bench.errors import BenchError
from tools.bench.loads import tcpdump
from tools.bench.works import mirrored

COUNTS = """\
tcpdump: listening on lo, link-type EN10MB (Ethernet), snapshot length 262144 bytes
1 packet captured
{received} packets received by filter
{dropped} packets dropped by kernel
"""


def log(
    *, delivered: int = 90, dropped: int = 10, undelivered: int = 0, stopped: bool = True
) -> str:
    stream = {
        "offered_bytes": 100 + undelivered,
        "delivered_bytes": delivered,
        "dropped_bytes": dropped,
    }
    connection = {
        "event": "connection",
        "request_bytes": 70,
        "response_bytes": 30,
        "undelivered_bytes": undelivered,
        "mirrors": [stream],
    }
    events = [{"event": "started"}, connection, {"event": "draining"}]
    events += [{"event": "stopped"}] * stopped
    return "a warning of the interpreter\n" + "".join(json.dumps(line) + "\n" for line in events)


def test_account_is_the_sum_over_all_connections() -> None:
    twice = log() + log()
    assert mirror_account.parse(twice) == mirror_account.Account(200, 200, 180, 20)
    assert mirror_account.of_stream(twice) == {"mirrored_bytes": 180, "lost_bytes": 20}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (log(dropped=9), "does not close"),
        (log(stopped=False), "killed before"),
        ("", "killed before"),
    ],
)
def test_account_that_is_wrong_or_cut_short_is_an_error(text: str, words: str) -> None:
    with pytest.raises(BenchError, match=words):
        mirror_account.parse(text)


def audit_files(directory: Path, size_bytes: int, suffix: str = "") -> Path:
    directory /= "2026-11-24"
    directory.mkdir()
    (directory / "1.json").write_text("{}")
    (directory / f"1-request{suffix}").write_bytes(bytes(size_bytes - 30))
    (directory / f"1-response{suffix}").write_bytes(bytes(30))
    return directory.parent


def test_files_are_held_against_what_both_directions_carried(tmp_path: Path) -> None:
    found = mirror_account.of_files(log(), audit_files(tmp_path, 90))
    assert found == {"mirrored_bytes": 90, "lost_bytes": 10}


def test_bytes_that_the_backend_did_not_take_are_in_the_files_too(tmp_path: Path) -> None:
    text = log(delivered=105, dropped=0, undelivered=5)
    found = mirror_account.of_files(text, audit_files(tmp_path, 105))
    assert found == {"mirrored_bytes": 105, "lost_bytes": 0}


@pytest.mark.parametrize(
    ("size_bytes", "suffix", "words"),
    [(89, "", "hold 89 bytes, the account says 90"), (90, ".part", "2 audit files are unfinished")],
)
def test_files_that_contradict_the_account_are_an_error(
    size_bytes: int, suffix: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(BenchError, match=words):
        mirror_account.of_files(log(), audit_files(tmp_path, size_bytes, suffix))


def captured(directory: Path, *, is_damaged: bool = False) -> Path:
    recorded = Recorded(directory)
    recorded.open(1)
    recorded.data(1, bytes(60))
    recorded.data(1, bytes(30), direction="response")
    recorded.close(1)
    path = recorded.seal()
    if is_damaged:
        path.write_bytes(path.read_bytes()[:-1])
    return directory


def test_a_capture_is_read_back_and_held_against_the_account(tmp_path: Path) -> None:
    found = mirror_account.of_segments(log(), captured(tmp_path))
    assert found == {"mirrored_bytes": 90, "lost_bytes": 10}


def test_a_capture_that_contradicts_the_account_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="holds 90 bytes, the account says 91"):
        mirror_account.of_segments(log(delivered=91, dropped=9), captured(tmp_path))
    with pytest.raises(BenchError, match="cannot be read"):
        mirror_account.of_segments(log(), captured(tmp_path, is_damaged=True))


def test_capture_counts_what_the_kernel_dropped(tmp_path: Path) -> None:
    capture = tmp_path / "capture.pcap"
    capture.write_bytes(bytes(24))
    found = mirror_account.of_capture(COUNTS.format(received=8, dropped=7), capture)
    assert found == {"mirrored_bytes": 24, "lost_packets": 7}
    assert tcpdump.parse(COUNTS.format(received=8, dropped=7)) == tcpdump.Counts(1, 7)


@pytest.mark.parametrize("text", ["", "tcpdump: lo: You don't have permission to capture"])
def test_capture_without_counts_is_an_error(text: str) -> None:
    with pytest.raises(BenchError, match="without its counts"):
        tcpdump.parse(text)


def test_cost_is_related_to_what_was_copied_not_to_what_was_carried() -> None:
    sample = {"cpu_s": 0.5, "mirrored_bytes": 2.5e8}
    assert mirrored.relate_to_copy(sample)["cpu_s_per_mirrored_gb"] == pytest.approx(2.0)


@pytest.mark.parametrize("sample", [{}, {"cpu_s": 0.5}, {"cpu_s": 0.5, "mirrored_bytes": 0.0}])
def test_no_copy_has_no_cost_per_byte(sample: dict[str, float]) -> None:
    assert mirrored.relate_to_copy(sample) == sample
