"""A tee(2) that fails or falls short costs the mirror bytes, which are counted in their place."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast

import pytest
import trio
import trio.lowlevel

from spliceproxy.kernel import syscalls
from tests.faults import ENDLESS, FailAt
from tests.proxy.payload import assert_same, random_bytes
from tests.proxy.relay import eventually
from tests.sinks.gaps import assert_equal_outside_of_gaps
from tests.sinks.places import FilePlace, Kind, make_place
from tests.sinks.rig import Rig, rig

LARGE, SMALL = 100_000, 1000
REFUSALS = [errno.EAGAIN, errno.ENOSYS, errno.EPERM, errno.ENOMEM, errno.EINVAL]


def short_tee(real: Callable[[int, int, int], int], number: int) -> Callable[[int, int, int], int]:
    """Copies a third of what it is asked for at the nth call."""
    calls = 0

    def tee(source_fd: int, destination_fd: int, count: int) -> int:
        nonlocal calls
        calls += 1
        return real(source_fd, destination_fd, count // 3 if calls == number else count)

    return tee


async def offer_ten(mirrored: Rig, size: int) -> bytes:
    data = random_bytes(10 * size)
    for start in range(0, len(data), size):
        mirrored.offer(data[start : start + size])
        await trio.lowlevel.checkpoint()
    mirrored.end()
    await mirrored.over()
    return data


@pytest.mark.parametrize("size", [LARGE, SMALL], ids=["large", "small"])
@pytest.mark.parametrize("number", [1, 4])
@pytest.mark.parametrize("kind", ["tcp", "tls", "unix", "exec"])
async def test_a_short_tee_ends_the_copy_behind_what_was_copied(
    kind: Kind, number: int, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_place(kind, tmp_path)
    with trio.fail_after(20):
        async with place.open(), rig(place.text) as mirrored:
            monkeypatch.setattr(syscalls, "tee", short_tee(syscalls.tee, number))
            data = await offer_ten(mirrored, size)
            copied = (number - 1) * size + size // 3
            assert await place.received() == data[:copied]
            branch = mirrored.branch
            assert branch.delivered_bytes == copied
            assert branch.reason == "copy_failed"
            assert_equal_outside_of_gaps(data[:copied], data, branch.gaps)


@pytest.mark.parametrize("size", [LARGE, SMALL], ids=["large", "small"])
@pytest.mark.parametrize("number", [1, 4, 10])
@pytest.mark.parametrize("overflow", ["detach", "gap"])
async def test_a_file_is_right_outside_of_what_a_short_tee_has_left_out(
    overflow: Literal["detach", "gap"],
    number: int,
    size: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = make_place("file", tmp_path)
    with trio.fail_after(20):
        async with rig(f"{place.text}?overflow={overflow}") as mirrored:
            monkeypatch.setattr(syscalls, "tee", short_tee(syscalls.tee, number))
            data = await offer_ten(mirrored, size)
            copy = await place.received()
            assert copy is not None
            assert_equal_outside_of_gaps(copy, data, mirrored.branch.gaps)
            if overflow == "gap":
                assert mirrored.branch.dropped_bytes == size - size // 3
                assert len(mirrored.branch.gaps) == 1


@pytest.mark.parametrize("size", [LARGE, SMALL], ids=["large", "small"])
@pytest.mark.parametrize("error", REFUSALS, ids=errno.errorcode.get)
@pytest.mark.parametrize("times", [1, ENDLESS], ids=["once", "from then on"])
@pytest.mark.parametrize("kind", ["file", "tcp", "null"])
async def test_where_tee_fails_the_loss_is_counted(
    kind: Kind,
    times: int,
    error: int,
    size: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = make_place(kind, tmp_path)
    with trio.fail_after(20):
        async with place.open(), rig(place.text) as mirrored:
            monkeypatch.setattr(syscalls, "tee", FailAt(syscalls.tee, 3, error, times=times))
            data = await offer_ten(mirrored, size)
            received = await place.received()
            branch = mirrored.branch
            assert branch.offered_bytes == len(data)
            if received is not None:
                assert_same(received, data[: branch.delivered_bytes])
            if branch.dropped_bytes:
                assert (branch.state, branch.reason) == ("incomplete", "copy_failed")


async def test_a_failing_tee_is_a_gap_where_gaps_are_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_place("file", tmp_path)
    assert isinstance(place, FilePlace)
    with trio.fail_after(20):
        async with rig(f"{place.text}?overflow=gap") as mirrored:
            # A large copy that fails is read instead, by a second tee.
            fault = FailAt(syscalls.tee, 3, errno.EAGAIN, times=2)
            monkeypatch.setattr(syscalls, "tee", fault)
            data = await offer_ten(mirrored, LARGE)
            assert [(gap.offset, gap.length) for gap in mirrored.branch.gaps] == [(200_000, LARGE)]
            assert_equal_outside_of_gaps(place.stream(), data, mirrored.branch.gaps)


async def test_block_lets_nothing_pass_that_was_not_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_place("file", tmp_path)
    with trio.fail_after(20):
        async with rig(f"{place.text}?overflow=block") as mirrored:
            monkeypatch.setattr(
                syscalls, "tee", FailAt(syscalls.tee, 3, errno.EPERM, times=ENDLESS)
            )
            await offer_ten(mirrored, LARGE)
            assert mirrored.owner.failures == ["copy_failed"]


@pytest.mark.parametrize("text", ["tcp", "unix", "file", "exec", "exec&scope=route"])
async def test_with_block_a_copy_that_cannot_be_made_ends_the_connection(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the mirror has all that came before, and so could end well at once."""
    kind, scope, _ = text.partition("&scope=route")
    place = make_place(cast(Kind, kind), tmp_path)
    with trio.fail_after(20):
        async with place.open(), rig(f"{place.text}?overflow=block{scope}") as mirrored:
            branch = mirrored.branch
            await eventually(lambda: not branch.is_opening)
            mirrored.offer(random_bytes(SMALL))
            await eventually(lambda: not branch.queued_bytes)
            await trio.sleep(0.05)  # the command reads it
            monkeypatch.setattr(syscalls, "tee", FailAt(syscalls.tee, 1, errno.EPERM))
            mirrored.offer(random_bytes(SMALL))
            await eventually(lambda: bool(mirrored.owner.failures))
            assert mirrored.owner.failures == ["copy_failed"]
            assert branch.reason == "copy_failed"
