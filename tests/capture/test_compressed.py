"""Compressed segments are read like others, whatever has become of them."""

import json
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import spliceproxy.capture
from spliceproxy.capture import Capture, Data, Event
from spliceproxy.capture.follow import Follower
from spliceproxy.capture.segment import Segment, open_segment
from spliceproxy.cli.main import run
from spliceproxy.formats import zstd
from spliceproxy.formats.capture.compressed import FRAME_BYTES, encode_table
from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.zstd import NoZstdProblem, open_zstd
from spliceproxy.formats.zstd_frame import measure_frame
from tests.capture.compressing import compress_all
from tests.capture.growing import Growing
from tests.capture.recorded import Recorded
from tests.descriptors import open_descriptors

PIECES = 60
"""Of 50,000 bytes: more than two frames."""


def make_capture(directory: Path, *, segments: int = 1) -> list[Path]:
    """A connection in each segment, of bytes that do not compress much."""
    draw = random.Random(7)
    recorded, paths = Recorded(directory), list[Path]()
    for number in range(1, segments + 1):
        recorded.open(number, number * 1000, route=f"route{number}")
        for piece in range(PIECES):
            data = draw.randbytes(40_000) + bytes(10_000)
            recorded.data(number, data, number * 1000 + piece, offset=piece * 50_000)
            recorded.end_block()
        recorded.close(number, number * 1000 + PIECES)
        paths.append(recorded.seal())
        recorded._began()
    return paths


def told(capture: Capture) -> list[Event]:
    events = list(capture.events())
    assert capture.unreadable == []
    return events


def frames_of(data: bytes) -> list[bytes]:
    """The frames of a compressed segment, without the table."""
    frames, at = list[bytes](), 0
    while data[at : at + 4] == b"\x28\xb5\x2f\xfd":
        frame = measure_frame(data, at)
        assert not isinstance(frame, NeedMore)
        frames.append(data[at : at + frame.stored_bytes])
        at += frame.stored_bytes
    return frames


def test_everything_is_told_as_before(tmp_path: Path) -> None:
    paths = make_capture(tmp_path, segments=2)
    events = told(spliceproxy.capture.open(tmp_path))
    before = list(spliceproxy.capture.open(tmp_path).connections())
    descriptors = open_descriptors()
    done = compress_all(tmp_path)
    assert [one.name for one in done] == [path.name for path in paths]
    assert all(0 < one.after_bytes < one.before_bytes for one in done)
    names = sorted(path.name for path in tmp_path.iterdir() if path.name[0] != ".")
    assert names == [path.name + ".zst" for path in paths]
    capture = spliceproxy.capture.open(tmp_path)
    assert told(capture) == events
    after = list(capture.connections())
    assert [one.request_bytes for one in after] == [one.request_bytes for one in before]
    found = capture.connection(before[1].id)
    assert found is not None
    assert list(found.events()) == [one for one in events if one.connection == before[1].id]
    # What was found before is found under the names that it had then.
    assert list(before[0].events()) == list(after[0].events())
    assert open_descriptors() == descriptors


def test_other_programs_give_the_segment_back(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    [path] = make_capture(tmp_path)
    whole = path.read_bytes()
    compress_all(tmp_path)
    done = subprocess.run(
        [program("zstd"), "-qdc", f"{path}.zst"], stdout=subprocess.PIPE, check=True
    )
    assert done.stdout == whole


def test_the_index_and_the_header_have_frames_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Growing(tmp_path) as growing:
        growing.open(1)
        for piece in range(PIECES):
            growing.data(1, random.Random(piece).randbytes(50_000), offset=piece * 50_000)
            growing.end_block()
        path = growing.seal()
    compress_all(tmp_path)
    library = open_zstd("it")
    sizes: list[int] = []

    def decompress(frame: bytes, content_bytes: int) -> bytes:
        sizes.append(content_bytes)
        return library.decompress(frame, content_bytes)

    fake = type("Counting", (), {"decompress": staticmethod(decompress)})()
    monkeypatch.setattr("spliceproxy.capture.segment_bytes.open_zstd", lambda _: fake)
    segment = Segment(path.with_name(path.name + ".zst"))
    assert segment.index() == []
    segment.close()
    assert sizes == [64, 80]  # the header; an empty index and the trailer


@pytest.mark.parametrize("seed", range(12))
def test_what_was_cut_off_is_read_to_its_last_whole_frame(tmp_path: Path, seed: int) -> None:
    [path] = make_capture(tmp_path)
    events = told(spliceproxy.capture.open(tmp_path))
    compress_all(tmp_path)
    compressed = path.with_name(path.name + ".zst")
    whole = compressed.read_bytes()
    first, *rest = frames_of(whole)
    kept = random.Random(seed).randrange(len(first), len(whole))
    compressed.write_bytes(whole[:kept])
    capture = spliceproxy.capture.open(tmp_path)
    found = list(capture.events())
    assert found == events[: len(found)]
    content = [b"".join(rest[:n]) for n in range(len(rest) + 1)]
    frames = max(n for n in range(len(rest) + 1) if len(first) + len(content[n]) <= kept)
    assert len(found) >= frames * FRAME_BYTES // 50_100 - 1  # the last piece is cut in two
    [problem] = capture.unreadable
    assert problem.path == compressed
    assert "cut off" in problem.what


@pytest.mark.parametrize("seed", range(12))
def test_what_was_garbled_is_found_and_what_is_before_it_is_read(tmp_path: Path, seed: int) -> None:
    [path] = make_capture(tmp_path)
    events = told(spliceproxy.capture.open(tmp_path))
    compress_all(tmp_path)
    compressed = path.with_name(path.name + ".zst")
    garbled = bytearray(compressed.read_bytes())
    draw = random.Random(seed)
    at = draw.randrange(len(garbled))
    garbled[at] ^= draw.randrange(1, 256)
    compressed.write_bytes(garbled)
    capture = spliceproxy.capture.open(tmp_path)
    found = list(capture.events())
    assert found == events[: len(found)]
    assert capture.unreadable or found == events
    descriptors = open_descriptors()
    list(capture.connections())
    assert open_descriptors() == descriptors


@pytest.mark.parametrize("length", [0, 1, 8, 63, 100])
def test_a_file_of_anything_is_refused_in_one_line(tmp_path: Path, length: int) -> None:
    [path] = make_capture(tmp_path)
    path.unlink()
    path.with_name(path.name + ".zst").write_bytes(random.Random(length).randbytes(length))
    descriptors = open_descriptors()
    capture = spliceproxy.capture.open(tmp_path)
    assert list(capture.events()) == []
    [problem] = capture.unreadable
    assert "cut off" in problem.what
    assert open_descriptors() == descriptors


def bomb(frames: int) -> bytes:
    """A segment of so many MiB of zeros, in some dozen bytes for each."""
    zeros = open_zstd("it").compress(bytes(FRAME_BYTES))
    return zeros * frames + encode_table([(len(zeros), FRAME_BYTES)] * frames)


def test_a_bomb_takes_no_more_memory_than_a_frame(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.open(1)
    path = recorded.seal()
    header = open_zstd("it").compress(path.read_bytes()[:64])
    path.unlink()
    rest = bomb(2000)
    entries = [(len(header), 64)] + [((len(rest) - 17) // 2000 - 8, FRAME_BYTES)] * 2000
    whole = header + rest[: -(17 + 2000 * 8)] + encode_table(entries)
    path.with_name(path.name + ".zst").write_bytes(whole)
    tracemalloc.start()
    capture = spliceproxy.capture.open(tmp_path)
    assert list(capture.events()) == []
    [problem] = capture.unreadable
    assert "checksum" in problem.what  # zeros are no record: it reads no further
    [segment] = capture.segments()
    assert segment.length == 64 + 2000 * FRAME_BYTES
    assert segment.index() is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


def test_frames_that_lie_about_their_content_are_damage(tmp_path: Path) -> None:
    [path] = make_capture(tmp_path)
    compress_all(tmp_path)
    compressed = path.with_name(path.name + ".zst")
    frames = frames_of(compressed.read_bytes())
    library = open_zstd("it")
    contents = [len(library.decompress(one, _content_of(one))) for one in frames]
    frames[1] = library.compress(bytes(FRAME_BYTES - 1))
    table = encode_table(zip(map(len, frames), contents, strict=True))
    compressed.write_bytes(b"".join(frames) + table)
    capture = spliceproxy.capture.open(tmp_path)
    assert list(capture.events()) == []
    [problem] = capture.unreadable
    assert problem.what == "it cannot be read: what is compressed is damaged, at 64"


def _content_of(frame: bytes) -> int:
    measured = measure_frame(frame)
    assert not isinstance(measured, NeedMore)
    return measured.content_bytes


def test_a_segment_may_be_compressed_while_it_is_read(tmp_path: Path) -> None:
    make_capture(tmp_path, segments=3)
    events = told(spliceproxy.capture.open(tmp_path))
    capture = spliceproxy.capture.open(tmp_path)
    stream = capture.events()
    found = [next(stream) for _ in range(10)]
    compress_all(tmp_path)  # the first one is open, the others have been listed
    assert found + list(stream) == events
    assert capture.unreadable == []


def test_one_that_is_there_twice_is_read_once(tmp_path: Path) -> None:
    [path] = make_capture(tmp_path)
    whole, events = path.read_bytes(), told(spliceproxy.capture.open(tmp_path))
    compress_all(tmp_path)
    path.write_bytes(whole)
    capture = spliceproxy.capture.open(tmp_path)
    assert [name.text for name in capture.names()] == [path.name + ".zst"]
    assert told(capture) == events


def test_a_name_leads_to_what_the_segment_has_become(tmp_path: Path) -> None:
    [path] = make_capture(tmp_path)
    compress_all(tmp_path)
    for name in (path.name + ".open", path.name, path.name + ".zst"):
        segment = open_segment(tmp_path / name)
        assert segment.path.name == path.name + ".zst"
        segment.close()
    with pytest.raises(FileNotFoundError):
        open_segment(tmp_path / "other.open")


def test_who_follows_reads_what_has_been_compressed_meanwhile(tmp_path: Path) -> None:
    with Growing(tmp_path) as growing:
        growing.open(1)
        growing.write()
        follower = Follower(tmp_path)
        growing.data(1, b"first")
        growing.seal()
        growing._began()
        growing.open(1, is_continued=True)
        growing.data(1, b"second", offset=5)
        growing.seal()
        compress_all(tmp_path)
        found = list[Event]()
        while follower.is_behind or not found:
            found += follower.poll()
        assert [one.data for one in found if isinstance(one, Data)] == [b"first", b"second"]
        assert follower.unreadable == []
        follower.close()


def test_without_a_library_one_line_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    make_capture(tmp_path, segments=3)
    compress_all(tmp_path)
    for name in ("compression", "compression.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    zstd._find.cache_clear()
    try:
        with pytest.raises(NoZstdProblem):
            list(spliceproxy.capture.open(tmp_path).events())
        for command in ("ls", "connections"):
            assert run(["capture", command, str(tmp_path)]) == 2
            out, err = capfd.readouterr()
            assert len(err.splitlines()) == 1
            assert "pip install 'spliceproxy[zstd]'" in err
            assert len(out.splitlines()) <= 1
    finally:
        zstd._find.cache_clear()


def test_ls_tells_both_sizes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    [path] = make_capture(tmp_path)
    size = path.stat().st_size
    assert run(["capture", "compress", str(tmp_path)]) == 0
    assert "1 segments compressed" in capfd.readouterr().out
    assert run(["capture", "ls", str(tmp_path), "--json"]) == 0
    line: dict[str, Any] = json.loads(capfd.readouterr().out)
    assert line["uncompressed_bytes"] == size
    assert line["bytes"] == path.with_name(path.name + ".zst").stat().st_size < size
    assert line["segment"] == path.name + ".zst"
