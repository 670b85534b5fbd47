"""What one client or one broken mirror can cause at will is no flood of lines."""

import errno

import pytest
import trio

from tests.faults import ENDLESS, FailAt
from tests.proxy.connecting import REFUSING
from tests.proxy.faulty_exchange import Seam, one_exchange
from tests.proxy.relay import eventually, relay

CONNECTIONS = 30
MOST_LINES = 8  # in the seconds that the connections take


async def test_connects_that_fail() -> None:
    with trio.fail_after(30):
        async with relay(backends=lambda own: (REFUSING,)) as proxied:
            for _ in range(CONNECTIONS):
                client = await proxied.open_client()
                assert await client.receive_rest() == (b"", "reset")
            await eventually(lambda: proxied.told("connect_failed") == CONNECTIONS)
            lines = proxied.events("connect_failed")
    assert len(lines) <= MOST_LINES
    assert lines[0]["backend"] == lines[0]["address"] == str(REFUSING)
    assert lines[0]["route"] == "default"
    assert (lines[0]["count"], lines[0]["reason"]) == (1, "backend_refused")
    assert lines[-1]["last_client"] != lines[0]["last_client"]
    assert "start the backend" in lines[0]["remedy"]


async def test_splices_that_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    seam = Seam(monkeypatch, "splice")
    with trio.fail_after(30):
        async with relay() as proxied:
            seam.put(FailAt, 1, errno.EPERM, times=ENDLESS)
            for number in range(1, CONNECTIONS + 1):
                await one_exchange(proxied, number)
    lines = proxied.events("splice_refused")
    assert proxied.told("splice_refused") >= CONNECTIONS
    assert len(lines) <= MOST_LINES
    assert lines[0]["route"] == "default"
    assert "doctor" in lines[0]["remedy"]
