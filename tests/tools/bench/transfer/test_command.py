"""`python -m tools.bench transfer` gives figures, or one line that says what is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tools.bench.__main__ import main
from tools.bench.errors import BenchError
from tools.bench.transfer import sizes
from tools.bench.transfer.stage import Stage

REPOSITORY = Path(__file__).resolve().parents[4]
SHARED_MEMORY = Path("/dev/shm")


def transfer(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.bench", "transfer", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(directory)},
        timeout=240,
    )


@pytest.mark.slow
# Dozens of programs one after the other, with the rest of the suite beside them.
@pytest.mark.timeout(270)
def test_one_short_round_of_each_work_gives_figures_and_advice(tmp_path: Path) -> None:
    page, figures = tmp_path / "page.md", tmp_path / "figures.json"
    page.write_text("by hand\n<!-- transfer: begin, written by tools.bench -->\nlast time\n")
    with page.open("a") as file:
        file.write("<!-- transfer: end -->\nby hand, too\n")
    arguments = ["--quick", "--rounds", "1", "--seconds", "0.02", "--no-pin"]
    outputs = ["--json", str(figures), "--markdown", str(page)]
    outcome = transfer(tmp_path, *arguments, *outputs)
    assert outcome.returncode == 0, outcome.stderr
    report = json.loads(figures.read_text())
    excused = ("keeps its files in memory", "io_uring_setup(2) is refused")
    assert [line for line in report["failures"] if not any(map(line.__contains__, excused))] == []
    assert set(report["works"]) == {
        "file-warm",
        "file-cold",
        "sizes",
        "relay",
        "pipe-file",
        "pipe-relay",
        "memory",
        "memory-anew",
        "cork-1k",
        "cork-64k",
        "map-read",
        "map-random-64",
        "map-random-4k",
        "map-random-64k",
        "map-write",
        "map-pages",
        "batch-16",
        "batch-header",
        "batch-files",
        "uring-file",
        "uring-relay",
        "uring-message",
    }
    relayed = report["works"]["relay"]["peers"]
    assert relayed["splice 4 KiB"]["syscalls_per_mib"]["median"] >= 512
    assert relayed["copy 64 KiB"]["throughput_bytes_per_s"]["ratio"]["median"] == 1
    anew = report["works"]["memory-anew"]["peers"]
    faults = {
        way: anew[f"{way} 64 KiB"]["page_faults_per_gb"]["median"] for way in ("send", "vmsplice")
    }
    assert faults["vmsplice"] > 10 * faults["send"]
    sent = report["works"]["memory"]["peers"]["MSG_ZEROCOPY 64 KiB"]
    assert sent["copied_share"]["median"] == 1
    assert any(": sendfile takes" in sentence for sentence in report["advice"])
    text = page.read_text()
    assert text.startswith("by hand\n")
    assert text.endswith("by hand, too\n")
    assert "### sizes: CPU for a whole file" in text
    assert "last time" not in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figures.json", "page.md"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--works", "fil-warm"], "did you mean file-warm?"), (["--seconds", "0"], "--seconds")],
)
def test_what_cannot_be_asked_for_is_a_usage_error(arguments: list[str], words: str) -> None:
    outcome = CliRunner().invoke(main, ["transfer", *arguments])
    assert outcome.exit_code == 2
    assert words in outcome.stderr


def test_dropping_all_caches_is_for_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    outcome = CliRunner().invoke(main, ["transfer", "--drop-caches"])
    assert (outcome.exit_code, "root" in outcome.stderr) == (2, True)


def test_a_file_system_in_memory_has_no_cold_files() -> None:
    if not SHARED_MEMORY.is_dir():
        pytest.skip("no file system in memory")
    path = SHARED_MEMORY / f"spliceproxy-test-{os.getpid()}"
    path.write_bytes(bytes(100_000))
    try:
        stage = Stage(SHARED_MEMORY, 1.0, {}, drops_all_caches=False)
        with pytest.raises(BenchError, match="set TMPDIR"):
            stage.cool(path)
    finally:
        path.unlink()


def test_files_that_are_too_large_are_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        "tools.bench.machine.parse_meminfo", lambda _text: {"MemAvailable": 8 * 4096}
    )
    assert sizes.fitting([1024, 4096, 4097], tmp_path) == [1024, 4096]
