"""The mixed load: clients of all kinds in front of some proxies, and what became of each."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import NamedTuple

import trio

from tools.soak.addresses import Address, client_host
from tools.soak.clients import KINDS, Client, DamagedError, Kind
from tools.soak.stream import EarlyEndError, Stream

CLIENT_TIMEOUT_S = 120.0
"""No client needs as long, on a busy machine either: one that does is stuck."""
LONGEST_REST_S = 0.3
"""Of a client, before the next one comes."""


class Outcome(StrEnum):
    """How a connection went, as its client saw it."""

    INTACT = "intact"
    """Every byte of both directions, and the end that was to come."""
    CUT = "cut"
    """A reset where there was to be none; some trouble has to explain it."""
    DAMAGED = "damaged"
    """Other bytes, or an orderly end too early. Nothing explains that."""
    STUCK = "stuck"
    """Nothing came any more. Nothing explains that."""


class Visit(NamedTuple):
    """One connection of a client."""

    proxy: str
    host: str
    """The client's address, which no other one has."""
    kind: str
    outcome: Outcome
    detail: str
    started: float
    """Seconds since 1970."""
    ended: float
    sent_bytes: int
    received_bytes: int


@dataclass(frozen=True)
class Front:
    """A proxy as its clients know it."""

    proxy: str
    listeners: Sequence[Address]


class Load:
    """Keeps so many clients of each kind under way."""

    def __init__(self, fronts: Sequence[Front], seed: int) -> None:
        self.visits: list[Visit] = []
        self.fronts = fronts
        self._seed = seed
        self._numbers = count()

    async def run(self, stopping: trio.Event) -> None:
        """Load until it is to end; then each client finishes what it has begun."""
        async with trio.open_nursery() as nursery:
            for front in self.fronts:
                for kind in KINDS:
                    for index in range(kind.count):
                        rng = random.Random(f"{self._seed} {front.proxy} {kind.name} {index}")  # noqa: S311
                        nursery.start_soon(self._keep_coming, front, kind, rng, stopping)

    async def _keep_coming(
        self, front: Front, kind: Kind, rng: random.Random, stopping: trio.Event
    ) -> None:
        while not stopping.is_set():
            await self.visit(front, kind, rng, stopping)
            with trio.move_on_after(rng.uniform(0, LONGEST_REST_S)):
                await stopping.wait()

    async def visit(
        self, front: Front, kind: Kind, rng: random.Random, stopping: trio.Event
    ) -> None:
        host = client_host(next(self._numbers))
        listener = rng.choice(front.listeners)
        started = time.time()
        with Stream(trio.socket.socket()) as stream:
            outcome, detail = Outcome.INTACT, ""
            try:
                with trio.fail_after(CLIENT_TIMEOUT_S):
                    await stream.connect(host, listener)
                    await kind.run(Client(stream, rng, stopping))
            except OSError as error:
                outcome, detail = Outcome.CUT, error.strerror or str(error)
            except (DamagedError, EarlyEndError, ValueError) as error:
                outcome, detail = Outcome.DAMAGED, str(error)
            except trio.TooSlowError:
                outcome = Outcome.STUCK
        self.visits.append(
            Visit(
                front.proxy,
                host,
                kind.name,
                outcome,
                detail,
                started,
                time.time(),
                stream.sent_bytes,
                stream.received_bytes,
            )
        )
