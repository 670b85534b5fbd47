"""Maps beside calls: a file read from end to end and at random, records, and large pages.

Nothing is sent here: what is read goes under a checksum, which costs all ways the same.
"""

from __future__ import annotations

import mmap
import resource
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from spliceproxy.kernel.page_syscalls import PAGE_BYTES
from tools.bench.errors import BenchError
from tools.bench.transfer.files import FILE_BYTES, opened
from tools.bench.transfer.stage import Stage
from tools.bench.transfer.trial import CPU, THROUGHPUT, Clock, Measure, Trial, size_name
from tools.bench.works.work import Metric, Sample
from tools.companions.mapped import made_file, pages, passes, random_access, recording

READ, WRITE, PAGES = "map-read", "map-write", "map-pages"
BLOCK_SIZES = (64, 4 << 10, 64 << 10)
WINDOW_SIZES = (64 << 10, 1 << 20, 16 << 20)

READ_BASELINE = f"read {size_name(64 << 10)}"
FIRST, SECOND = "map, first pass", "map, second pass"
CHECKSUM = "checksum alone"
PREADV, PREAD = "preadv, one buffer", "pread"
SYNC_CALL, SYNC_PAGE, SYNC_ALL, SYNC_NONE = (
    "pwrite, fdatasync each",
    "map, MS_SYNC each",
    "map, MS_SYNC each, all of it",
    "map",
)
SMALL, LARGE = "MADV_NOHUGEPAGE", "MADV_HUGEPAGE"

FAULTS = Metric("faults_per_mib", "minor faults per MiB", "", decimals=1, comparison="none")
RATE = Metric("rate_per_s", "rate", "/s", is_higher_better=True)
CPU_EACH = Metric("cpu_us_each", "CPU for each", "µs", decimals=2)

_WRITTEN_BYTES = 16 << 20
_RECORDS = 8
_READS = 2000
_FILLED_BYTES = 64 << 20


def random_name(block_bytes: int) -> str:
    return f"map-random-{size_name(block_bytes).split()[0]}{'k' if block_bytes >= 1024 else ''}"


def _repeated(stage: Stage, action: Callable[[], object]) -> tuple[Clock, int, int]:
    """Act for the time of a measurement; its clock, how often it was, and its page faults."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    clock, count = Clock(), 0
    while not count or clock.elapsed_s < stage.seconds:
        action()
        count += 1
    return clock, count, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def _streamed(clock: Clock, moved_bytes: int, faults: int) -> Sample:
    return {**clock.sample(moved_bytes), FAULTS.name: faults / (moved_bytes / (1 << 20))}


Reading = Callable[[int], object]
"""Read the file of that descriptor once."""


def _reading(read: Reading) -> Measure:
    def measure(stage: Stage) -> Sample:
        with opened(stage.file(FILE_BYTES)) as fd:
            clock, count, faults = _repeated(stage, partial(read, fd))
            return _streamed(clock, count * FILE_BYTES, faults)

    return measure


def _first_pass(fd: int) -> None:
    with passes.whole_map(fd) as mapping:
        passes.by_map(mapping)


def _checksum_alone(stage: Stage) -> Sample:
    """Take the checksum of what the process has already: what no way to read can save."""
    data = stage.file(FILE_BYTES).read_bytes()
    clock, count, faults = _repeated(stage, partial(zlib.crc32, data))
    return _streamed(clock, count * FILE_BYTES, faults)


def _second_pass(stage: Stage) -> Sample:
    with opened(stage.file(FILE_BYTES)) as fd, passes.whole_map(fd) as mapping:
        passes.by_map(mapping)
        clock, count, faults = _repeated(stage, partial(passes.by_map, mapping))
        return _streamed(clock, count * FILE_BYTES, faults)


def _read_trial() -> Trial:
    reads = {
        f"read {size_name(size)}": _reading(partial(passes.by_read, buffer_bytes=size))
        for size in (64 << 10, 1 << 20)
    }
    windows = {
        f"windows {size_name(size)}": _reading(partial(passes.by_windows, window_bytes=size))
        for size in WINDOW_SIZES
    }
    advised = _reading(partial(passes.by_new_map, advice=mmap.MADV_HUGEPAGE))
    maps = {FIRST: _reading(_first_pass), SECOND: _second_pass, "map, MADV_HUGEPAGE": advised}
    title = f"file of {size_name(FILE_BYTES)} in memory, read under a checksum"
    contestants = {**reads, **maps, **windows, CHECKSUM: _checksum_alone}
    return Trial(READ, title, (THROUGHPUT, CPU, FAULTS), contestants, READ_BASELINE)


def _each(clock: Clock, count: int) -> Sample:
    return {RATE.name: count / clock.elapsed_s, CPU_EACH.name: clock.cpu_s / count * 1e6}


@contextmanager
def _blocks(stage: Stage, block_bytes: int) -> Iterator[tuple[int, list[int]]]:
    offsets = random_access.draw_offsets(FILE_BYTES, block_bytes, _READS)
    with opened(stage.file(FILE_BYTES)) as fd:
        yield fd, offsets


def _calling(read: Callable[[int, list[int], int], int], block_bytes: int) -> Measure:
    def measure(stage: Stage) -> Sample:
        with _blocks(stage, block_bytes) as (fd, offsets):
            clock, count, _faults = _repeated(stage, partial(read, fd, offsets, block_bytes))
            return _each(clock, count * _READS)

    return measure


def _mapped_first(block_bytes: int, stage: Stage) -> Sample:
    """Map, read, unmap: what a program pays that does not keep its map."""
    with _blocks(stage, block_bytes) as (fd, offsets):

        def read() -> None:
            with passes.whole_map(fd) as mapping:
                random_access.by_map(mapping, offsets, block_bytes)

        clock, count, _faults = _repeated(stage, read)
        return _each(clock, count * _READS)


def _mapped_again(block_bytes: int, stage: Stage) -> Sample:
    with _blocks(stage, block_bytes) as (fd, offsets), passes.whole_map(fd) as mapping:
        read = partial(random_access.by_map, mapping, offsets, block_bytes)
        read()
        clock, count, _faults = _repeated(stage, read)
        return _each(clock, count * _READS)


def _random_trial(block_bytes: int) -> Trial:
    contestants: dict[str, Measure] = {
        PREAD: _calling(random_access.by_pread, block_bytes),
        PREADV: _calling(random_access.by_preadv, block_bytes),
        FIRST: partial(_mapped_first, block_bytes),
        SECOND: partial(_mapped_again, block_bytes),
    }
    title = f"blocks of {size_name(block_bytes)} at random, of {size_name(FILE_BYTES)} in memory"
    return Trial(random_name(block_bytes), title, (RATE, CPU_EACH), contestants, PREADV)


def _recording(name: str, stage: Stage) -> Sample:
    way = recording.WAYS[name]
    with (
        made_file.made(stage.directory, _WRITTEN_BYTES) as (_path, fd),
        recording.mapped(fd) as mapping,
    ):
        target = recording.Target(fd, mapping)
        target.settle()
        offsets, data = recording.draw_offsets(_WRITTEN_BYTES, _RECORDS), b"r" * PAGE_BYTES
        write = partial(recording.record, way, target, offsets, data)
        clock, count, _faults = _repeated(stage, write)
        return _each(clock, count * _RECORDS)


def _filling(kind: str, stage: Stage) -> Sample:
    try:
        clock, count, faults = _repeated(stage, partial(pages.fill, kind, _FILLED_BYTES))
    except OSError as error:
        raise BenchError(f"{kind}: {error.strerror}") from None
    return _streamed(clock, count * _FILLED_BYTES, faults)


def trials() -> list[Trial]:
    return [
        _read_trial(),
        *map(_random_trial, BLOCK_SIZES),
        Trial(
            WRITE,
            f"records of {size_name(PAGE_BYTES)} into a file; once: behind each {_RECORDS}",
            (RATE, CPU_EACH),
            {name: partial(_recording, name) for name in recording.WAYS},
            SYNC_CALL,
        ),
        Trial(
            PAGES,
            f"{size_name(_FILLED_BYTES)} of fresh memory, each page written to once",
            (THROUGHPUT, CPU, FAULTS),
            {kind: partial(_filling, kind) for kind in (SMALL, LARGE)},
            SMALL,
        ),
    ]
