"""Faults of splice at any place, the flows' or the mirrors': no byte is doubled or misplaced."""

import errno
from pathlib import Path

import pytest
import trio

from spliceproxy.kernel import syscalls
from tests.faults import ENDLESS, FailAt
from tests.mirroring.mirrored import mirrored
from tests.mirroring.records import gaps_of
from tests.proxy.judge import exchange, judge
from tests.proxy.payload import assert_prefix, random_bytes
from tests.proxy.small_sockets import shrink_proxy_sockets
from tests.sinks.gaps import assert_equal_outside_of_gaps
from tests.sinks.places import FilePlace
from tests.streams import Buffers

PLACES = range(1, 31, 3)
DATA = random_bytes(150_000)
SMALL = Buffers(send_bytes=16 << 10, receive_bytes=16 << 10, segment_bytes=536)


@pytest.mark.parametrize(
    ("error", "times"),
    [
        (errno.ENOSYS, 1),
        (errno.ENOSYS, ENDLESS),
        (errno.EPERM, ENDLESS),
        (errno.EAGAIN, 20),
        (errno.ENOMEM, 1),
    ],
)
@pytest.mark.parametrize("overflow", ["detach", "gap", "block"])
async def test_the_file_is_what_passed(
    overflow: str, times: int, error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink_proxy_sockets(monkeypatch, SMALL)
    real = syscalls.splice
    for number in PLACES:
        directory = tmp_path / str(number)
        directory.mkdir()
        place = FilePlace(directory)
        text = f"{place.text}?direction=request&overflow={overflow}"
        with trio.fail_after(20):
            async with mirrored(text, buffers=SMALL) as proxied:
                monkeypatch.setattr(syscalls, "splice", FailAt(real, number, error, times=times))
                connection = await proxied.connect()
                request, response = await exchange(
                    connection, DATA, DATA[:30_000], seed=number, largest=30_000
                )
                line = await proxied.line()
                monkeypatch.setattr(syscalls, "splice", real)
        judge(DATA, request, line)
        judge(DATA[:30_000], response, line)
        [account] = line["mirrors"]
        offered = DATA[: account["offered_bytes"]]
        assert_prefix(request.received, offered)
        assert_equal_outside_of_gaps(place.stream(), offered, gaps_of(directory)["request"])
