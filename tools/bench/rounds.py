"""Interleaved rounds: every peer once, then every peer again, so that drift hits all alike."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.bench import machine, peers
from tools.bench.errors import BenchError
from tools.bench.origins import Origin
from tools.bench.peers import Peer
from tools.bench.placement import Placement
from tools.bench.results import Measurement, WorkResult
from tools.bench.works.work import Sample, Setting, Work

BREATH_S = 0.2  # between two measurements, for the kernel to finish closing sockets


@dataclass(frozen=True)
class Plan:
    """How often, how long and where to measure."""

    rounds: int
    seconds: float
    where: Placement
    directory: Path


def turns(names: Sequence[str], rounds: int) -> Iterator[tuple[int, str]]:
    """Yield (round, name); each round starts one further on, so that none is always the first."""
    for number in range(rounds):
        start = number % len(names)
        for name in (*names[start:], *names[:start]):
            yield number, name


def run(work: Work, contestants: Sequence[Peer], plan: Plan) -> WorkResult:
    """Measure all peers under one load; a peer that fails loses that round only."""
    by_name = {peer.name: peer for peer in contestants}
    measurements: dict[str, list[Measurement]] = {name: [] for name in by_name}
    with work.start_origin(plan.where, plan.directory) as origin:
        for number, name in turns(list(by_name), plan.rounds):
            print(f"{work.name}: round {number + 1}/{plan.rounds}: {name}", file=sys.stderr)
            measurements[name].append(_measure(work, by_name[name], origin, plan))
            time.sleep(BREATH_S)
    baselines = tuple(peer.name for peer in contestants if peer.is_baseline)
    return WorkResult(work, baselines, measurements)


def _measure(work: Work, peer: Peer, origin: Origin, plan: Plan) -> Measurement:
    def take() -> Sample:
        with peers.started(peer, origin.port, plan.where, plan.directory) as target:
            setting = Setting(target, origin, plan.where, plan.directory, plan.seconds)
            sample = work.measure(setting)
        return work.conclude({**sample, **target.account})

    return measured(f"{work.name}: {peer.name}", take)


def measured(name: str, take: Callable[[], Sample]) -> Measurement:
    """Take a sample, and what other programs took of the machine meanwhile."""
    began, foreign_before_s = time.monotonic(), machine.foreign_s()
    sample, error = {}, ""
    try:
        sample = take()
    except BenchError as failure:
        error = str(failure)
        print(f"{name}: {error}", file=sys.stderr)
    capacity_s = (time.monotonic() - began) * machine.cpu_count()
    return Measurement(sample, error, (machine.foreign_s() - foreign_before_s) / capacity_s)
