"""What cannot be attached, and what it costs at most."""

import errno
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from spliceproxy.ipc.rows import MirrorCell
from spliceproxy.kernel import pipes, syscalls
from spliceproxy.proxy.attachments import MOST_ATTACHED, AttachRefusedError
from tests.mirroring.attaching import ROOM, attach, counted, live, nothing_is_left, told
from tests.mirroring.test_attaching import DURING, copied, end_well, pass_on
from tests.proxy.relay import eventually, relay
from tests.sinks.leftovers import disk_threads


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (400, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_so_many_mirrors_and_no_more() -> None:
    async with relay(**ROOM) as it:
        for number in range(1, MOST_ATTACHED + 1):
            assert attach(it, number, to="null:")
        assert attach(it, 1, to="null:")  # told again: it is there
        with pytest.raises(AttachRefusedError, match="16 mirrors are attached: detach one"):
            attach(it, 99, to="null:")
        for number in told(it):
            it.worker.attachments.detach(number)
        await eventually(lambda: nothing_is_left(it))
        assert disk_threads() == []
        assert attach(it, 100, to="null:")
        it.worker.attachments.detach(100)
        await eventually(lambda: nothing_is_left(it))


@pytest.mark.usefixtures("few_descriptors")
async def test_streams_have_the_descriptors_that_connections_leave(tmp_path: Path) -> None:
    """400 descriptors, less 64 and those of 25 pipes, less two for each of 140 connections: 6.

    A connection that would need two more of them is not copied, and counted.
    """
    async with relay(max_connections=140) as it:
        attach(it, to=f"file:{tmp_path}")
        connections = [await it.connect() for _ in range(4)]
        for connection in connections:
            await pass_on(connection, DURING)
        name = f"file:{tmp_path}@1"
        assert counted(it, name, MirrorCell.STREAMS) == 6
        assert counted(it, name, MirrorCell.LEFT_OUT) == 1
        for connection in connections:
            await end_well(connection)
        await eventually(lambda: len(it.events("connection")) == 4)
        accounts = [line["mirrors"] for line in it.events("connection")]
        assert sorted(map(len, accounts)) == [0, 2, 2, 2]
        assert counted(it, name, MirrorCell.INCOMPLETE) == 0
        it.worker.attachments.detach(1)
        await eventually(lambda: nothing_is_left(it))
        [ended] = it.events("mirror_detached")
        assert ended["left_out"] == 1
    assert len(copied(tmp_path, "re")) == 6


@pytest.mark.usefixtures("few_descriptors")
async def test_block_is_refused_where_it_can_not_be_kept_for_all(tmp_path: Path) -> None:
    """There are 6 descriptors, as above."""
    async with relay(max_connections=140) as it:
        to = f"file:{tmp_path}?overflow=block"
        with pytest.raises(AttachRefusedError, match=r"needs 280 .* 6 are left: lower the route's"):
            attach(it, to=to)
        assert nothing_is_left(it)
        connection = await it.connect()
        assert attach(it, 2, session=live(it), to=to, connection="0-1")
        assert attach(it, 3, session=live(it), to=to, connection="0-1")
        assert attach(it, 4, session=live(it), to=to, connection="0-1")
        with pytest.raises(AttachRefusedError, match="need 2 descriptors, and 0 are left: detach"):
            attach(it, 5, session=live(it), to=to, connection="0-1")
        assert attach(it, 6, to="null:")  # which needs none
        await pass_on(connection, DURING)
        await end_well(connection)
        assert (await it.line())["reason"] == "closed"
        it.worker.attachments.detach(6)
        await eventually(lambda: nothing_is_left(it))
        limit = it.worker.attachments._limit._shared
        assert (limit.most, limit.taken) == (6, 0)


@pytest.mark.usefixtures("few_descriptors")
async def test_others_leave_what_is_kept_for_block(tmp_path: Path) -> None:
    """Of 400 descriptors, less 86 and two for each of 70 connections, 140 are kept for `block`."""
    async with relay(max_connections=70) as it:
        spare = it.worker.attachments._limit._shared.most
        for name in ("all", "some"):
            (tmp_path / name).mkdir()
        assert attach(it, 1, to=f"file:{tmp_path}/all?overflow=block")
        assert it.worker.attachments._limit._shared.most == spare - 140
        assert attach(it, 2, to=f"file:{tmp_path}/some")
        connections = [await it.connect() for _ in range(20)]
        for connection in connections:
            await pass_on(connection, b"12")
        for connection in connections:
            await end_well(connection)
        await eventually(lambda: len(it.events("connection")) == 20)
        assert {line["reason"] for line in it.events("connection")} == {"closed"}
        name = f"file:{tmp_path}/some@2"
        assert counted(it, name, MirrorCell.LEFT_OUT) == 20 - (spare - 140) // 2 > 0
        for number in (1, 2):
            it.worker.attachments.detach(number)
        await eventually(lambda: nothing_is_left(it))
    assert len(copied(tmp_path / "all", "request")) == 20


@pytest.mark.usefixtures("few_descriptors")
async def test_connections_may_use_everything() -> None:
    async with relay() as it:
        with pytest.raises(AttachRefusedError, match="set max_connections"):
            attach(it, to="null:")


async def test_a_connection_whose_directions_have_ended(tmp_path: Path) -> None:
    async with relay(**ROOM) as it:
        connection = await it.connect()
        connection.client.finish()
        await connection.backend.receive_rest()
        with pytest.raises(AttachRefusedError, match="the direction that is wanted"):
            attach(it, session=live(it), to="null:?direction=request", connection="0-1")
        await eventually(lambda: nothing_is_left(it))


async def test_other_routes_are_no_concern() -> None:
    async with relay(**ROOM) as it:
        assert not attach(it, to="null:", route="elsewhere")
        assert it.worker.mirrors is None


async def test_no_pipe_is_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_pipe() -> tuple[int, int]:
        raise OSError(errno.EMFILE, "too many")

    async with relay(**ROOM) as it:
        with monkeypatch.context() as patch:
            patch.setattr(syscalls, "make_pipe", no_pipe)
            with pytest.raises(AttachRefusedError, match="no pipe is to be had"):
                attach(it, to="null:")
        assert nothing_is_left(it)
        assert attach(it, to="null:")
        it.worker.attachments.detach(1)
        await eventually(lambda: nothing_is_left(it))


async def test_small_pipes_for_mirrors_make_those_of_traffic_small(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The user's quota is used up when the mirror is attached."""
    async with relay(**ROOM) as it:
        connection = await it.connect()
        await pass_on(connection, DURING)  # through a full-size pipe
        with monkeypatch.context() as patch:
            patch.setattr(pipes.Pipe, "_grow", lambda self, *_: _smallest(self))
            attach(it, session=live(it), to=f"file:{tmp_path}", connection="0-1")
        await pass_on(connection, DURING)
        it.worker.attachments.detach(1)
        await eventually(lambda: nothing_is_left(it))
        await end_well(connection)
        line = await it.line()
    assert {account["dropped_bytes"] for account in line["mirrors"]} == {0}


def _smallest(pipe: pipes.Pipe) -> int:
    return syscalls.set_pipe_capacity(pipe.write_fd, 4096)
