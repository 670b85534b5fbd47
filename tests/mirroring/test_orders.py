"""A mirror of a route is stopped and started, and its sample changed, while connections run."""

from pathlib import Path

import pytest

from spliceproxy.ipc.mirror_orders import mirror_orders_row_name, write_sample, write_state
from tests.mirroring.mirrored import Mirrored, mirrored
from tests.mirroring.test_attaching import AFTER, DURING, copied, end_well, pass_on
from tests.proxy.payload import assert_same
from tests.proxy.relay import Mode, eventually, three_modes


def order(it: Mirrored, mirror: str) -> memoryview:
    """The cells that the admin process writes."""
    return it.worker._tally.table.claim(mirror_orders_row_name("default", mirror)).cells


def state(it: Mirrored) -> tuple[str, float]:
    [mirror] = it.proxy.status().routes[0].mirrors
    return mirror.state, mirror.sample


@three_modes
@pytest.mark.parametrize("overflow", ["detach", "block"])
async def test_off_now_and_on_again(mode: Mode, overflow: str, tmp_path: Path) -> None:
    name = f"file:{tmp_path}"
    async with mirrored(f"{name}?overflow={overflow}", mode=mode) as it:
        first = await it.connect()
        await pass_on(first, DURING)
        write_state(order(it, name), on=False)
        assert state(it) == ("off", 1.0)
        second = await it.connect()
        await pass_on(second, DURING)
        await pass_on(first, DURING)  # goes on to be copied
        assert it.worker.attachments.stop_mirror("elsewhere", name) == 0
        assert it.worker.attachments.stop_mirror("default", name) == 2
        assert it.worker.attachments.stop_mirror("default", name) == 0
        await pass_on(first, AFTER)
        write_state(order(it, name), on=True)
        third = await it.connect()
        await pass_on(third, AFTER)
        for number, connection in enumerate((first, second, third), 1):
            await end_well(connection)
            await it.line(number)
        lines = it.events("connection")
        copied_by_line = [
            {(one["reason"], one["delivered_bytes"]) for one in line["mirrors"] or ()}
            for line in lines
        ]
    assert [line["reason"] for line in lines] == ["closed"] * 3
    both = {("stopped_by_operator", size) for size in (2 * len(DURING), len(DURING))}
    assert copied_by_line == [both, set(), {("", len(AFTER)), ("", len(AFTER) // 2)}]
    assert_same(copied(tmp_path, "request")[0], DURING * 2)


async def test_another_sample_and_the_configured_one() -> None:
    async with mirrored("null:?sample=100%") as it:
        for sample, told in ((0.0, 0.0), (None, 1.0)):
            write_sample(order(it, "null:"), sample)
            assert state(it) == ("ok", told)
            connection = await it.connect()
            await pass_on(connection, AFTER)
            await end_well(connection)
            await it.settled()
        lines = it.events("connection")
        assert [line["mirrors"] is not None for line in lines] == [False, True]


async def test_a_stopped_stream_that_hangs_resets_nothing(impatient: None) -> None:
    """Its mirror takes nothing more, with `block`: the rest is dropped after a while."""
    async with mirrored("exec:sleep 1000?overflow=block") as it:
        connection = await it.connect()
        for _ in range(10):
            await pass_on(connection, DURING)
        assert it.worker.attachments.stop_mirror("default", it.mirrors.mirrors[0].settings.text)
        await eventually(lambda: it.mirrors.streams.taken == 0)
        await pass_on(connection, AFTER)
        await end_well(connection)
        line = await it.line()
    assert line["reason"] == "closed"
    assert line["mirrors"][0]["dropped_bytes"] > 0
