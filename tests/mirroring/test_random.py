"""Random mirrors, sizes, buffers and ends: the traffic is right, and so is every copy."""

import random
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spliceproxy.sinks.account import Gap
from tests.mirroring.mirrored import Mirrored, mirrored
from tests.mirroring.records import gaps_of
from tests.proxy.judge import Outcome
from tests.proxy.payload import assert_prefix, assert_same, random_bytes
from tests.proxy.peer import Peer
from tests.proxy.relay import COPY, SPLICE, TLS_MODES, Mode
from tests.proxy.small_sockets import shrink_proxy_sockets
from tests.sinks.gaps import assert_equal_outside_of_gaps
from tests.sinks.places import FilePlace, Kind, Place, make_place
from tests.streams import KERNEL_CHOICE, TINY, Buffers

OVERFLOWS: dict[Kind, tuple[str, ...]] = {
    "file": ("detach", "gap", "block"),
    "tcp": ("detach", "spill", "block"),
    "unix": ("detach", "spill", "block"),
    "exec": ("detach", "spill", "block"),
    "null": ("detach",),
}


@dataclass(frozen=True)
class Choice:
    """One mirror."""

    kind: Kind
    overflow: str
    buffer_bytes: int

    @property
    def options(self) -> str:
        return f"?direction=request&overflow={self.overflow}&buffer={self.buffer_bytes}"


@dataclass(frozen=True)
class Scenario:
    """What the peers do."""

    request_bytes: int
    response_bytes: int
    largest_chunk: int
    buffers: Buffers
    reset_by: str  # "client", "backend", or nobody
    seed: int


def choices() -> st.SearchStrategy[Choice]:
    kinds = st.sampled_from(list(OVERFLOWS))
    return kinds.flatmap(
        lambda kind: st.builds(
            Choice,
            st.just(kind),
            st.sampled_from(OVERFLOWS[kind]),
            st.sampled_from([2000, 20_000, 8 << 20]),
        )
    )


SCENARIOS = st.builds(
    Scenario,
    request_bytes=st.integers(0, 80_000),
    response_bytes=st.integers(0, 50_000),
    largest_chunk=st.sampled_from([200, 3000, 60_000]),
    buffers=st.sampled_from([KERNEL_CHOICE, TINY, Buffers(16 << 10, 16 << 10, 536)]),
    reset_by=st.sampled_from(["", "", "client", "backend"]),
    seed=st.integers(0, 1000),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "count"),
    [
        pytest.param(mode, count, id=f"{name}-{count}")
        for name, mode, counts in (
            ("splice", SPLICE, (1, 2, 5)),
            ("copy", COPY, (1, 2, 5)),
            ("tls-both", TLS_MODES["tls-both"], (2,)),
        )
        for count in counts
    ],
)
def test_every_copy_is_right(mode: Mode, count: int) -> None:
    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(st.lists(choices(), min_size=count, max_size=count), SCENARIOS)
    def check(chosen: list[Choice], scenario: Scenario) -> None:
        trio.run(run_scenario, chosen, scenario, mode)

    check()


async def run_scenario(chosen: list[Choice], scenario: Scenario, mode: Mode) -> None:
    async with AsyncExitStack() as stack:
        stack.enter_context(trio.fail_after(40))
        monkeypatch = stack.enter_context(pytest.MonkeyPatch.context())
        shrink_proxy_sockets(monkeypatch, scenario.buffers)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        places = []
        for number, choice in enumerate(chosen):
            (directory / str(number)).mkdir()
            place = make_place(choice.kind, directory / str(number), buffers=scenario.buffers)
            await stack.enter_async_context(place.open())
            places.append(place)
        texts = [place.text + choice.options for place, choice in zip(places, chosen, strict=True)]
        proxied = await stack.enter_async_context(
            mirrored(*texts, mode=mode, buffers=scenario.buffers)
        )
        request = await play(proxied, scenario)
        line = await proxied.line()
        await proxied.settled()
        for account, place, choice in zip(line["mirrors"], places, chosen, strict=True):
            assert account["offered_bytes"] >= len(request.received)
            await check_copy(account, place, choice, scenario)


async def play(proxied: Mirrored, scenario: Scenario) -> Outcome:
    """Exchange, and maybe reset in the middle; what the backend got."""
    connection = await proxied.connect()
    request = random_bytes(scenario.request_bytes, scenario.seed)
    response = random_bytes(scenario.response_bytes, scenario.seed + 1)
    outcomes = {name: Outcome(b"", "reset") for name in ("request", "response")}

    async def receive(name: str, peer: Peer) -> None:
        outcomes[name] = Outcome(*await peer.receive_rest())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send, connection.client, request, scenario, "client")
        nursery.start_soon(send, connection.backend, response, scenario, "backend")
        if scenario.reset_by != "backend":  # who resets does not listen
            nursery.start_soon(receive, "request", connection.backend)
        if scenario.reset_by != "client":
            nursery.start_soon(receive, "response", connection.client)
    check_traffic(scenario, outcomes, request, response)
    return outcomes["request"]


async def send(peer: Peer, data: bytes, scenario: Scenario, name: str) -> None:
    try:
        chunks = random.Random(scenario.seed)
        await peer.send_in_chunks(data, chunks, scenario.largest_chunk)
        if scenario.reset_by == name:
            peer.reset()
        else:
            peer.finish()
    except OSError:  # the other one has reset
        pass


def check_traffic(
    scenario: Scenario,
    outcomes: dict[str, Outcome],
    request: bytes,
    response: bytes,
) -> None:
    check = assert_prefix if scenario.reset_by else assert_same
    check(outcomes["request"].received, request)
    check(outcomes["response"].received, response)
    if not scenario.reset_by:
        assert (outcomes["request"].end, outcomes["response"].end) == ("eof", "eof")


async def check_copy(
    account: dict[str, int], place: Place, choice: Choice, scenario: Scenario
) -> None:
    offered = random_bytes(scenario.request_bytes, scenario.seed)[: account["offered_bytes"]]
    if choice.overflow in {"block", "spill"}:
        assert account["dropped_bytes"] == 0
    received = await place.received()
    if received is None:
        return
    if isinstance(place, FilePlace):
        gaps = gaps_of(place.directory)["request"]
    else:
        delivered, dropped = account["delivered_bytes"], account["dropped_bytes"]
        gaps = [Gap(delivered, dropped)] if dropped else []
    assert_equal_outside_of_gaps(received, offered, gaps)
    assert sum(gap.length for gap in gaps) == account["dropped_bytes"]
