"""Sentences about memory, batches and io_uring, each drawn from the figures of a run."""

from __future__ import annotations

from collections.abc import Iterator

from tools.bench.results import Results, WorkResult
from tools.bench.transfer import answers, batches, memory, uring
from tools.bench.transfer.files import BUFFER_SIZES
from tools.bench.transfer.trial import CPU, FAULTS, size_name
from tools.bench.works.work import RATIO_SIGN, Metric


def sentences(results: Results) -> list[str]:
    """Return what the run has to say; nothing where it says nothing."""
    by_name = {result.work.name: result for result in results.works}
    drawn = {
        memory.KEPT: _kept,
        memory.ANEW: _anew,
        batches.MANY: _many,
        batches.HEADED: _headed,
        batches.FILES: _files,
        uring.FILE: _ring_files,
        uring.MESSAGE: _ring_messages,
    }
    return [
        sentence
        for name, draw in drawn.items()
        if name in by_name
        for sentence in draw(by_name[name])
    ]


def _ratio(result: WorkResult, name: str, other: str, metric: Metric = CPU) -> str | None:
    """Return the median over the rounds of the one's figure over the other's."""
    known = {name, other} <= result.measurements.keys()
    spread = result.ratio(name, metric, (other,)) if known else None
    return f"{spread.median:.2f}{RATIO_SIGN}" if spread else None


def _median(result: WorkResult, name: str, metric: Metric) -> float | None:
    return result.median(name, metric) if name in result.measurements else None


def _by_size(result: WorkResult, name: str, other: str) -> str:
    """Tell the ratios with each size of piece, where both were measured."""
    sizes = map(size_name, BUFFER_SIZES)
    ratios = [(size, _ratio(result, f"{name} {size}", f"{other} {size}")) for size in sizes]
    return ", ".join(f"{ratio} with {size}" for size, ratio in ratios if ratio)


def _kept(result: WorkResult) -> Iterator[str]:
    if told := _by_size(result, memory.VMSPLICE, memory.SEND):
        yield f"Memory that is written once: vmsplice takes this much of send's CPU: {told}."
    if told := _by_size(result, memory.GIFT, memory.VMSPLICE):
        yield f"SPLICE_F_GIFT makes this of vmsplice's CPU: {told}."
    for way in (memory.ZERO_COPY, memory.RING_ZERO_COPY):
        copied = _median(result, f"{way} {size_name(BUFFER_SIZES[-1])}", memory.COPIED)
        if copied is not None and (told := _by_size(result, way, memory.SEND)):
            yield f"{way}, of which loopback copied {copied:.0%}, takes of send's CPU: {told}."


def _anew(result: WorkResult) -> Iterator[str]:
    told = _by_size(result, memory.VMSPLICE, memory.SEND)
    faults = _median(result, f"{memory.VMSPLICE} {size_name(BUFFER_SIZES[-1])}", FAULTS)
    if told and faults is not None:
        yield (
            f"Memory that is written for each piece: fresh memory and vmsplice take {told} of the "
            f"CPU of one buffer and send, with {faults:,.0f} page faults per GB."
        )


def _answered(result: WorkResult, way: str, usual: str) -> str | None:
    """Tell segments, calls and CPU of an answer, those of the usual way last."""
    cost = _ratio(result, way, usual, answers.CPU)
    figures = [
        _median(result, name, metric)
        for name in (way, usual)
        for metric in (answers.SEGMENTS, answers.CALLS)
    ]
    known = [figure for figure in figures if figure is not None]
    if cost is None or len(known) < len(figures):
        return None
    segments, calls, usual_segments, usual_calls = known
    unit = "call" if calls == 1 else "calls"
    return (
        f"{segments:.0f} segments and {calls:.0f} {unit} instead of {usual_segments:.0f} and "
        f"{usual_calls:.0f}, {cost} the CPU"
    )


def _many(result: WorkResult) -> Iterator[str]:
    for way in (batches.VECTOR, batches.CORK, batches.MORE, batches.PIPED_VECTOR):
        if told := _answered(result, way, batches.EACH):
            yield f"16 pieces of 1 KiB by {way}: {told}."


def _headed(result: WorkResult) -> Iterator[str]:
    for way in (batches.VECTOR, batches.PIPED_VECTOR, batches.GIFT):
        if told := _answered(result, way, batches.EACH):
            yield f"A header and 64 KiB of memory in one vector by {way}: {told}."


def _files(result: WorkResult) -> Iterator[str]:
    for way in batches.FILE_WAYS[1:]:
        if told := _answered(result, way, batches.SENDFILE):
            yield f"16 files of 1 KiB by {way}: {told}."


def _ring_files(result: WorkResult) -> Iterator[str]:
    """Compare ring with ring and call with call: what Python adds to an operation is no rival."""
    for size in map(size_name, uring.SIZES):
        pairs = (
            ("splice", "read, send"),
            ("uring splice", "uring read, send"),
            ("uring splice linked", "uring read+send linked"),
        )
        ratios = [_ratio(result, f"{one} {size}", f"{other} {size}") for one, other in pairs]
        if all(ratios):
            by_calls, by_ring, linked = ratios
            yield (
                f"With {size}, splice takes {by_calls} the CPU of read and send; by io_uring, "
                f"where a thread of the kernel's does it, {by_ring}, and linked {linked}."
            )


def _ring_messages(result: WorkResult) -> Iterator[str]:
    by_calls = _ratio(result, "splice", "recv, send", answers.CPU)
    by_ring = _ratio(result, "uring splice", "uring recv, send", answers.CPU)
    switches = [_median(result, name, answers.SWITCHES) for name in ("uring splice", "splice")]
    known = [figure for figure in switches if figure is not None]
    if by_calls and by_ring and len(known) == len(switches):
        yield (
            f"A message of {uring.MESSAGE_BYTES} bytes: splice takes {by_calls} the CPU of recv "
            f"and send; by io_uring {by_ring}, with {known[0]:.1f} context switches instead of "
            f"{known[1]:.1f}."
        )
