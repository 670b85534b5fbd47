"""A replay from its beginning to its summary."""

import signal
import sqlite3
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace

import trio

import spliceproxy.capture
from spliceproxy.capture import Capture
from spliceproxy.capture.writer import CaptureWriter
from spliceproxy.errors import StartProblem, UsageProblem
from spliceproxy.kernel.limits import raised_file_limit
from spliceproxy.loop.timers import TimerWheel
from spliceproxy.replay.checkpoint import Checkpoint
from spliceproxy.replay.dispatcher import Dispatcher
from spliceproxy.replay.progress import Progress, last_time_ns
from spliceproxy.replay.replay_context import ReplayContext
from spliceproxy.replay.replay_options import Pace, ReplayOptions
from spliceproxy.replay.replay_report import ReplayReport
from spliceproxy.replay.replay_target import ReplayTarget
from spliceproxy.replay.smoothness import smooth
from spliceproxy.upstream.resolver import resolve

_TICK_S = 1.0  # so often what is kept is written, and progress shown
_OTHER_DESCRIPTORS = 128  # the capture's segments, files that are kept, Trio's own


@dataclass(slots=True)
class ReplayEnd:
    """How a replay went."""

    summary: dict[str, object]
    is_complete: bool
    """Everything that was wanted has been replayed, or was skipped as asked."""
    complaints: list[str] = field(default_factory=list)
    """Lines for the user, of what is not complete."""
    unreached: str = ""
    """Why the target never was; empty if it was, or nothing was to go there."""
    hints: list[str] = field(default_factory=list)
    """Lines for the user, of what should be known of a replay that is."""


async def replay(options: ReplayOptions, *, shows_progress: bool = False) -> ReplayEnd:
    """Replay a capture.

    SIGINT and SIGTERM end it, with a summary of what was done.

    Raises:
        UsageProblem: there is no capture, or a file that is named can't be used.
        StartProblem: the target's name doesn't resolve, there are too few descriptors, or what is
            replayed can't be captured.
    """
    capture = spliceproxy.capture.open(options.directory)
    capture.require_segment()
    if options.record is not None and _is_same(options):
        raise UsageProblem(f"{options.record} is what is replayed", "record into another directory")
    addresses = await trio.to_thread.run_sync(resolve, options.target)
    target = ReplayTarget(list(addresses), options.stall_timeout_s)
    with ExitStack() as stack:
        wanted = options.max_connections + _OTHER_DESCRIPTORS
        limit = stack.enter_context(raised_file_limit(wanted))
        fitting = min(options.max_connections, limit - _OTHER_DESCRIPTORS)
        if fitting < 1:
            raise StartProblem(
                f"{limit} descriptors are too few", f"raise the limit to {wanted} (ulimit -n)"
            )
        options = replace(options, max_connections=fitting)
        stack.enter_context(smooth())
        return await _replay(options, capture, target, shows_progress=shows_progress)


def _is_same(options: ReplayOptions) -> bool:
    record = options.record
    return record is not None and record.exists() and record.samefile(options.directory)


async def _replay(
    options: ReplayOptions, capture: Capture, target: ReplayTarget, *, shows_progress: bool
) -> ReplayEnd:
    began_s = time.time()
    path = options.checkpoint
    checkpoint = Checkpoint(path, options.describe()) if path else None
    report = ReplayReport(options.report, began_s) if options.report else None
    writer = CaptureWriter(options.record) if options.record else None
    context = ReplayContext(options, target, writer, checkpoint, report)
    with closing(context.readable):
        is_interrupted = await _run(context, capture, shows_progress=shows_progress)
    if writer is not None:
        writer.close()
    context.keep()
    hints = context.hints() + capture.clocks.hints()
    summary = {
        "capture": str(options.directory),
        "target": str(options.target),
        "pace": str(options.pace),
        "max_connections": options.max_connections,
        **context.tally.summary(is_timed=options.pace is not Pace.MAX, late=context.line.late),
        "seconds": round(time.time() - began_s, 3),
        "read_ahead_bytes": context.ahead.most_bytes,
        "interrupted": is_interrupted,
        "stopped_by": context.stopped_by or None,
        "unreadable": [f"{problem.path}: {problem.what}" for problem in capture.unreadable],
        "hints": hints,
    }
    if context.substitution is not None:
        summary["substitutions"] = context.substitution.summary()
    if report is not None:
        try:
            report.close(summary)
        except sqlite3.Error as problem:
            context.stop(f"{options.report}: {problem}")
    return _end(context, capture, summary, hints, is_interrupted=is_interrupted)


async def _run(context: ReplayContext, capture: Capture, *, shows_progress: bool) -> bool:
    """Return whether a signal has ended it."""
    is_interrupted = False

    async def end_by_signal() -> None:
        nonlocal is_interrupted
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                is_interrupted = True
                context.scope.cancel()

    last_ns = await trio.to_thread.run_sync(last_time_ns, capture) if shows_progress else None
    async with trio.open_nursery() as beside:
        beside.start_soon(end_by_signal)
        beside.start_soon(context.readable.run)
        beside.start_soon(_serve_deadlines, context.deadlines)
        with context.scope:
            async with trio.open_nursery() as nursery:
                dispatcher = Dispatcher(context, capture)
                progress = Progress(context, dispatcher, last_ns) if shows_progress else None
                beside.start_soon(_tick, context, progress)
                nursery.start_soon(dispatcher.run)
                nursery.start_soon(context.line.run, nursery)
        context.line.abandon()
        if progress is not None:
            progress.end()
        beside.cancel_scope.cancel()
    return is_interrupted


async def _serve_deadlines(deadlines: TimerWheel) -> None:
    while True:
        await deadlines.sleep()
        deadlines.fire()


async def _tick(context: ReplayContext, progress: Progress | None) -> None:
    while True:
        await trio.sleep(_TICK_S)
        context.keep()
        if progress is not None:
            progress.show()


def _end(
    context: ReplayContext,
    capture: Capture,
    summary: dict[str, object],
    hints: list[str],
    *,
    is_interrupted: bool,
) -> ReplayEnd:
    tally = context.tally
    complaints = [f"{problem.path}: {problem.what}" for problem in capture.unreadable]
    if context.stopped_by:
        complaints.append(context.stopped_by)
    elif context.unreached and not context.options.keeps_going:
        complaints.append(context.unreached)
    is_complete = not (complaints or is_interrupted or tally.outcomes["failed"])
    met = sum(tally.outcomes.values()) + tally.done_before
    if is_complete and not met:
        why = "no connection fits the filters" if tally.filtered else "it has no connection"
        raise UsageProblem(f"{context.options.directory}: {why}", "nothing was replayed")
    return ReplayEnd(summary, is_complete, complaints, context.unreached, hints)
