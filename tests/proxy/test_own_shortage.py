"""What this machine itself lacks is no fault of a backend, and ends no live connection."""

import errno
from collections.abc import Callable
from contextlib import suppress

import pytest
import trio

from spliceproxy.kernel import syscalls
from spliceproxy.settings.health import EjectionSettings, HealthCheckSettings
from tests.faults import ENDLESS, AnswerAt, FailAt
from tests.namespaces import run_in_own_network
from tests.proxy.peer import Peer
from tests.proxy.pooled import Pooled, pooled
from tests.proxy.relay import eventually

Live = tuple[Peer, Peer]
CHECK = HealthCheckSettings(interval_s=0.05, timeout_s=5.0, rise=1, fall=1, close="reset")

# Clients take all local ports that lead to the backend; the next checks find none.
SCRIPT = """
Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("20000 20009")
import trio
from tests.proxy.test_own_shortage import use_up_local_ports
trio.run(use_up_local_ports)
print("kept")
"""


async def use_up_local_ports() -> None:
    async with pooled({}, on_down="close", health_check=CHECK) as proxied:
        live: list[Live] = []
        in_vain = 0  # once may be while a check has the last port
        while in_vain < 3:
            pair = await reach(proxied, f"127.0.0.{len(live) + 8}")
            live += [pair] if pair else []
            in_vain = 0 if pair else in_vain + 1
        assert 2 < len(live) <= 10
        await assert_kept(proxied, live, "no_local_port")


async def reach(proxied: Pooled, source: str) -> Live | None:
    """A client, and its connection among those of checks; None if it is turned away."""
    ended = len(proxied.events("connection"))
    client = await proxied.open_client(source)
    with suppress(ConnectionError):
        await client.send(b"hello")
    while len(proxied.events("connection")) == ended:
        with trio.move_on_after(0.1):
            _, far = await proxied.arrival()
            with suppress(ConnectionError):
                if await far.receive_some() == b"hello":
                    return client, far
    return None


async def assert_kept(proxied: Pooled, live: list[Live], why: str) -> None:
    """Checks are wanting and clients turned away, and nobody blames the backend."""
    for _ in range(5):
        client = await proxied.open_client("127.0.0.6")
        assert await client.receive_rest() == (b"", "reset")
    await eventually(
        lambda: bool(proxied.events("check_not_made") + proxied.events("backend_down"))
    )
    await trio.sleep(3 * CHECK.interval_s)
    assert {line["reason"] for line in proxied.events("check_not_made")} == {why}
    (route,) = proxied.proxy.status().routes
    (backend,) = route.backends
    assert (backend.state, backend.failed) == ("up", {})
    for event in ("backend_down", "backend_ejected"):
        assert proxied.events(event) == []
    for client, far in live:
        await client.send(b"still here")
        assert await far.receive_exactly(10) == b"still here"


def test_local_ports(program: Callable[[str], str]) -> None:
    assert run_in_own_network(program, SCRIPT) == "kept\n"


SHORTAGES = {
    "no_descriptors": ("open_socket", FailAt(syscalls.open_socket, 1, errno.EMFILE, times=ENDLESS)),
    "no_memory": ("open_socket", FailAt(syscalls.open_socket, 1, errno.ENOBUFS, times=ENDLESS)),
    "no_local_port": ("connect", AnswerAt(syscalls.connect, 1, errno.EADDRNOTAVAIL, times=ENDLESS)),
}


@pytest.mark.parametrize("why", SHORTAGES)
async def test_other_shortages(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call, fault = SHORTAGES[why]
    ejection = EjectionSettings(after=1)
    async with pooled({}, on_down="close", health_check=CHECK, ejection=ejection) as proxied:
        pair = await reach(proxied, "127.0.0.1")
        assert pair is not None
        monkeypatch.setattr(syscalls, call, fault)
        await assert_kept(proxied, [pair], why)
        monkeypatch.undo()
