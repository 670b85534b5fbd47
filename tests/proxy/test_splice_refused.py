"""Where splicing is not to be had, wherever that turns out, bytes are copied instead."""

import errno
import os

import pytest
import trio

from tests.faults import ENDLESS, FailAt
from tests.proxy.faulty_exchange import PLACES, REFUSALS, REQUEST, SMALL, Seam, one_exchange
from tests.proxy.relay import relay
from tests.proxy.small_sockets import shrink_proxy_sockets

how_often = pytest.mark.parametrize("times", [1, ENDLESS], ids=["once", "from then on"])


@pytest.fixture(autouse=True)
def small_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink_proxy_sockets(monkeypatch, SMALL)


@pytest.mark.parametrize("error", REFUSALS, ids=errno.errorcode.get)
@how_often
async def test_splice_is_refused_at_any_call(
    error: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seam = Seam(monkeypatch, "splice")
    with trio.fail_after(55):
        async with relay(buffers=SMALL) as proxied:
            for number in PLACES:
                seam.put(FailAt, number, error, times=times)
                line = await one_exchange(proxied, number)
                assert line["reason"] == "closed"
                assert line["copied_bytes"] > 0
    assert proxied.told("splice_refused") >= len(PLACES)


@how_often
@pytest.mark.parametrize("number", range(1, 9))
async def test_splice_is_refused_when_the_end_has_already_come(
    number: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes and end are there together, more than the destination takes at once."""
    with trio.fail_after(20):
        async with relay(buffers=SMALL) as proxied:
            connection = await proxied.connect()
            Seam(monkeypatch, "splice").put(FailAt, number, errno.EINVAL, times=times)
            sent = connection.client.send_some(REQUEST)
            connection.client.finish()
            await trio.sleep(0.05)
            assert await connection.backend.receive_rest() == (REQUEST[:sent], "eof")
            connection.backend.finish()
            line = await proxied.line()
    assert (line["reason"], line["request_bytes"]) == ("closed", sent)
    assert proxied.told("splice_refused") <= 2


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EPERM])
async def test_no_pipe_is_made(error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    Seam(monkeypatch, "make_pipe").put(FailAt, 1, error, times=ENDLESS)
    with trio.fail_after(20):
        async with relay(buffers=SMALL) as proxied:
            line = await one_exchange(proxied, 1)
            assert (line["reason"], line["spliced_bytes"]) == ("closed", 0)
            assert os.strerror(error) in proxied.events("splice_refused")[0]["error"]


@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOMEM, errno.EBUSY, errno.ENOSYS])
async def test_pipes_that_cannot_grow_are_used_as_they_are(
    error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    Seam(monkeypatch, "set_pipe_capacity").put(FailAt, 1, error, times=ENDLESS)
    with trio.fail_after(20):
        async with relay(buffers=SMALL) as proxied:
            line = await one_exchange(proxied, 1)
            assert (line["reason"], line["copied_bytes"]) == ("closed", 0)
