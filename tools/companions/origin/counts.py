"""What all workers have done since the start: numbers in memory that they share."""

import mmap
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Protocol

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

_NUMBER_BYTES = 8


class Count(IntEnum):
    """Where a number stands in a worker's row."""

    CONNECTIONS = 0
    REQUESTS = 1  # answered, whole or in part
    SENT_BYTES = 2  # headers included
    REFUSED = 3  # of the requests: by a status from 400 on
    CUT = 4  # of the requests: the client went away or took nothing, the file shrank
    CACHED_ANSWERS = 5  # of the requests: the answer was in memory
    COLD_READS = 6  # pieces of files that a thread brought in
    DIRECT_FILES = 7  # opened with O_DIRECT
    DIRECT_REFUSALS = 8  # files that were large enough, but not to be had so


HELP: Mapping[Count, str] = {
    Count.CONNECTIONS: "Connections accepted.",
    Count.REQUESTS: "Requests answered, whole or in part.",
    Count.SENT_BYTES: "Bytes that sockets took, headers included.",
    Count.REFUSED: "Requests answered with a status from 400 on.",
    Count.CUT: "Answers that did not reach their end.",
    Count.CACHED_ANSWERS: "Requests answered from memory.",
    Count.COLD_READS: "Pieces of files that were not in memory, read in by a thread.",
    Count.DIRECT_FILES: "Files sent with O_DIRECT.",
    Count.DIRECT_REFUSALS: "Large files sent by way of the page cache, since O_DIRECT was refused.",
}


class Row(Protocol):
    """The numbers of one worker, by `Count`."""

    def __getitem__(self, which: int, /) -> int:
        """Return a number."""

    def __setitem__(self, which: int, number: int, /) -> None:
        """Set a number."""


class Counts:
    """A row for each worker, made before they are forked; each writes into its own.

    A number is eight aligned bytes, so that a reader never sees half of one.
    """

    def __init__(self, workers: int = 1) -> None:
        self._memory = mmap.mmap(-1, workers * len(Count) * _NUMBER_BYTES)
        self._numbers = memoryview(self._memory).cast("q")
        self._workers = workers

    def row(self, worker: int = 0) -> Row:
        """Return the numbers of a worker, which start at 0."""
        start = worker * len(Count)
        return self._numbers[start : start + len(Count)]

    def totals(self) -> dict[Count, int]:
        """Return the sums over all workers."""
        return {which: sum(self._numbers[which :: len(Count)]) for which in Count}

    def line(self) -> str:
        """Return the sums in a line for people; what is rare is left out while it is 0."""
        found = self.totals()
        rare = [
            f"{found[which]} {which.name.lower().replace('_', ' ')}"
            for which in Count
            if which > Count.SENT_BYTES and found[which]
        ]
        usual = (
            f"{found[Count.CONNECTIONS]} connections, {found[Count.REQUESTS]} requests, "
            f"{found[Count.SENT_BYTES]} bytes sent"
        )
        return ", ".join([usual, *rare])

    def metrics(self) -> bytes:
        """Return the sums in the text format of Prometheus."""
        return generate_latest(_Metrics(self.totals()))


class _Metrics(Collector):
    def __init__(self, totals: Mapping[Count, int]) -> None:
        self._totals = totals

    def collect(self) -> Iterator[CounterMetricFamily]:
        for which, number in self._totals.items():
            name = f"origin_{which.name.lower()}"
            yield CounterMetricFamily(name, HELP[which], value=number)
