"""Sentences of advice, each drawn from the figures of a run; none where it says nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tools.bench.results import Results, WorkResult
from tools.bench.transfer import answers, corking, files, maps, pipes, relays, sizes
from tools.bench.transfer.trial import CPU, SYSCALLS, THROUGHPUT, size_name
from tools.bench.works.work import RATIO_SIGN, Metric

NEAR = 1.1
"""Within a tenth: what one run on a shared machine cannot tell apart."""


def sentences(results: Results) -> list[str]:
    """Return what the run has to say to somebody who has to choose."""
    by_name = {result.work.name: result for result in results.works}
    drawn = {
        files.WARM: _warm_files,
        files.COLD: _cold_files,
        sizes.SIZES_NAME: _crossover,
        relays.RELAY: _relays,
        pipes.FILE: _pipes,
        pipes.RELAY: _pipes,
        corking.work_name(corking.BODY_SIZES[0]): _cork,
        maps.READ: _map_passes,
        **{maps.random_name(size): _map_random for size in maps.BLOCK_SIZES},
        maps.WRITE: _map_writes,
        maps.PAGES: _large_pages,
    }
    return [
        sentence
        for name, draw in drawn.items()
        if name in by_name
        for sentence in draw(by_name[name])
    ]


def _times(value: float) -> str:
    return f"{value:.2f}{RATIO_SIGN}"


def _cheapest(result: WorkResult, names: Sequence[str], metric: Metric = CPU) -> str | None:
    """Return the name with the lowest median."""
    known = {name: value for name in names if (value := _median(result, name, metric)) is not None}
    return min(known, key=known.__getitem__, default=None)


def _median(result: WorkResult, name: str, metric: Metric) -> float | None:
    return result.median(name, metric) if name in result.measurements else None


def _ratio(result: WorkResult, name: str, other: str, metric: Metric = CPU) -> float | None:
    """Return the median over the rounds of the one's figure over the other's."""
    if name not in result.measurements or other not in result.measurements:
        return None
    spread = result.ratio(name, metric, (other,))
    return spread.median if spread else None


def _with_buffer(result: WorkResult, size_bytes: int) -> list[str]:
    suffix = f" {size_name(size_bytes)}"
    return [name for name in result.measurements if name.endswith(suffix)]


def _warm_files(result: WorkResult) -> Iterator[str]:
    cheapest = _cheapest(result, list(result.measurements))
    ratio = _ratio(result, cheapest, files.BASELINE) if cheapest else None
    if cheapest and ratio is not None:
        calls = _median(result, cheapest, SYSCALLS)
        usual_calls = _median(result, files.BASELINE, SYSCALLS)
        if calls is None or usual_calls is None:
            return
        yield (
            f"A large file that is in memory costs least CPU with {cheapest}: {_times(ratio)} "
            f"of {files.BASELINE}, and {calls:.1f} calls per MiB instead of {usual_calls:.1f}."
        )
    yield from _buffers(result)


def _buffers(result: WorkResult) -> Iterator[str]:
    small, large = files.BUFFER_SIZES[0], files.BUFFER_SIZES[-1]
    cheapest_small = _cheapest(result, _with_buffer(result, small))
    costs = {name: _median(result, name, CPU) or 0 for name in _with_buffer(result, large)}
    dearest_large = max(costs, key=costs.__getitem__, default=None)
    if cheapest_small is None or dearest_large is None:
        return
    ratio = _ratio(result, cheapest_small, dearest_large)
    if ratio is not None and ratio > NEAR:
        yield (
            f"The buffer matters more than the technique: the cheapest with {size_name(small)} "
            f"({cheapest_small}) costs {_times(ratio)} the CPU of the dearest with "
            f"{size_name(large)} ({dearest_large})."
        )


def _cold_files(result: WorkResult) -> Iterator[str]:
    size_bytes = files.BUFFER_SIZES[-1]
    rates = {
        name: rate
        for name in _with_buffer(result, size_bytes)
        if (rate := _median(result, name, THROUGHPUT)) is not None
    }
    cheapest = _cheapest(result, list(rates))
    if len(rates) < 2 or cheapest is None:
        return
    slowest, fastest = (pick(rates, key=rates.__getitem__) for pick in (min, max))
    yield (
        f"From the disk, with {size_name(size_bytes)} at once, the fastest ({fastest}) has "
        f"{_times(rates[fastest] / rates[slowest])} the throughput of the slowest ({slowest}); "
        f"{cheapest} takes the least CPU."
    )


def _crossover(result: WorkResult) -> Iterator[str]:
    costs = sorted(result.work.metrics, key=sizes.size_of)
    for method in result.measurements:
        if method == sizes.BASELINE:
            continue
        ratios = [
            (sizes.size_of(metric), ratio)
            for metric in costs
            if (ratio := _ratio(result, method, sizes.BASELINE, metric)) is not None
        ]
        if ratios:
            (smallest, at_smallest), (largest, at_largest) = ratios[0], ratios[-1]
            yield (
                f"Copying a whole file (readwrite) takes {_compared(method, ratios)}: "
                f"{method} takes {_times(at_smallest)} its CPU at {size_name(smallest)}, "
                f"{_times(at_largest)} at {size_name(largest)}."
            )


def _compared(method: str, ratios: Sequence[tuple[int, float]]) -> str:
    """Tell up to which size copying costs less, and from which on it always costs more.

    `ratios` are those of the method to copying, from the smallest size to the largest.
    """
    cheap_up_to = max((size for size, ratio in ratios if ratio > NEAR), default=None)
    level_up_to = max((size for size, ratio in ratios if ratio * NEAR > 1), default=0)
    dear_from = next((size for size, _ratio in ratios if size > level_up_to), None)
    if dear_from == ratios[0][0]:
        return f"more CPU than {method} at every size"
    if cheap_up_to == ratios[-1][0]:
        return f"less CPU than {method} up to the largest"
    if cheap_up_to is None:
        more = f"more CPU than {method} from {size_name(dear_from)} on" if dear_from else ""
        return more or f"about as much CPU as {method}"
    less = f"less CPU than {method} up to {size_name(cheap_up_to)}"
    return f"{less} and more from {size_name(dear_from)} on" if dear_from else less


def _relays(result: WorkResult) -> Iterator[str]:
    for size_bytes in (files.BUFFER_SIZES[0], files.BUFFER_SIZES[-1]):
        size = size_name(size_bytes)
        ratio = _ratio(result, f"{relays.SPLICE} {size}", f"{relays.COPY} {size}")
        if ratio is not None:
            yield f"Between sockets, with {size}, splice takes {_times(ratio)} the CPU of copying."
    size = size_name(files.BUFFER_SIZES[-1])
    ratio = _ratio(result, f"{relays.TEE} {size}", f"{relays.SPLICE} {size}")
    if ratio is not None:
        yield f"A tee on the way, with {size}, makes it {_times(ratio)}."


def _pipes(result: WorkResult) -> Iterator[str]:
    by_size = [name for size in pipes.SIZES if (name := size_name(size)) in result.measurements]
    cheapest = _cheapest(result, by_size)
    if cheapest is None:
        return
    ratios = {name: _ratio(result, name, cheapest) for name in by_size}
    near = next((name for name, ratio in ratios.items() if ratio and ratio <= NEAR), cheapest)
    usual = ratios.get(pipes.BASELINE)
    compared = f"; the kernel's {pipes.BASELINE} costs {_times(usual)}" if usual else ""
    source = "From a file" if result.work.name == pipes.FILE else "From a socket"
    yield (
        f"{source}, {near} is the smallest pipe within a tenth of the least CPU "
        f"({cheapest}){compared}."
    )
    grown = _ratio(result, pipes.GROWING, cheapest)
    if grown is not None:
        yield f"{source}, a pipe that grows from 4 KiB takes {_times(grown)} the CPU of {cheapest}."


def _cork(result: WorkResult) -> Iterator[str]:
    usual = _median(result, corking.NODELAY, answers.SEGMENTS)
    if usual is None:
        return
    for way in (corking.CORK, corking.MORE):
        segments = _median(result, way, answers.SEGMENTS)
        cost = _ratio(result, way, corking.NODELAY, answers.CPU)
        if segments is not None and cost is not None:
            yield (
                f"A header and a small body leave in {segments:.2f} segments with {way} and in "
                f"{usual:.2f} with {corking.NODELAY} alone, at {_times(cost)} the CPU."
            )
    rate = _median(result, corking.NAGLE, answers.RATE)
    usual_rate = _median(result, corking.NODELAY, answers.RATE)
    if rate is not None and usual_rate is not None and rate * NEAR < usual_rate:
        yield (
            f"With neither, the body waits for the acknowledgement of the header: {rate:,.0f} "
            f"answers a second instead of {usual_rate:,.0f}."
        )


def _map_passes(result: WorkResult) -> Iterator[str]:
    first = _ratio(result, maps.FIRST, maps.READ_BASELINE)
    second = _ratio(result, maps.SECOND, maps.READ_BASELINE)
    if first is not None and second is not None:
        yield (
            f"Read from end to end, a map takes {_times(first)} the CPU of {maps.READ_BASELINE} "
            f"at once, and {_times(second)} in a second pass through the same map."
        )
    windows = {
        size: ratio
        for size in map(size_name, maps.WINDOW_SIZES)
        if (ratio := _ratio(result, f"windows {size}", maps.FIRST)) is not None
    }
    if windows:
        told = ", ".join(f"{_times(ratio)} with {size}" for size, ratio in windows.items())
        yield f"A window that slides takes this much of a whole map's CPU: {told}."


def _map_random(result: WorkResult) -> Iterator[str]:
    kept = _ratio(result, maps.SECOND, maps.PREADV, maps.CPU_EACH)
    fresh = _ratio(result, maps.FIRST, maps.PREADV, maps.CPU_EACH)
    if kept is not None and fresh is not None:
        blocks = result.work.title.partition(",")[0]
        yield (
            f"For {blocks}, a map that is kept takes {_times(kept)} the CPU of preadv, "
            f"and one that is new {_times(fresh)}."
        )


def _map_writes(result: WorkResult) -> Iterator[str]:
    page = _ratio(result, maps.SYNC_PAGE, maps.SYNC_CALL, maps.RATE)
    whole = _ratio(result, maps.SYNC_ALL, maps.SYNC_PAGE, maps.RATE)
    free = _ratio(result, maps.SYNC_NONE, maps.SYNC_PAGE, maps.RATE)
    if page is not None and whole is not None and free is not None:
        yield (
            f"Records that are each safe on the disk: msync has {_times(page)} the rate of pwrite "
            f"with fdatasync, and {_times(whole)} that when it is given the whole map; "
            f"without any msync a map takes {free:,.0f}{RATIO_SIGN} as many."
        )


def _large_pages(result: WorkResult) -> Iterator[str]:
    ratio = _ratio(result, maps.LARGE, maps.SMALL)
    faults = [_median(result, kind, maps.FAULTS) for kind in (maps.LARGE, maps.SMALL)]
    if ratio is not None and None not in faults:
        large, small = faults
        yield (
            f"Fresh memory in large pages takes {large:.1f} faults per MiB instead of {small:.1f}, "
            f"and {_times(ratio)} the CPU of small ones."
        )
