"""A backend's name of whose addresses one answers nothing at all."""

import statistics
from collections.abc import Callable

import trio

from spliceproxy.settings.timeouts import Timeouts
from tests.namespaces import run_in_own_network
from tests.proxy.test_discovery import discovered

# What is sent to a neighbour that is not there comes out of the far end of a pair, and is lost.
SCRIPT = """
import subprocess
def ip(*arguments):
    subprocess.run([sys.argv[1], *arguments], check=True)
ip("link", "add", "black", "type", "veth", "peer", "hole")
ip("address", "add", "10.9.0.1/24", "dev", "black")
for end in ("black", "hole"):
    ip("link", "set", end, "up")
ip("neighbour", "add", "10.9.0.5", "lladdr", "02:00:00:00:00:05", "dev", "black")
import trio
from tests.proxy.test_black_hole import connect_through
trio.run(connect_through)
print("connected")
"""

CONNECTIONS = 20
NEXT_ADDRESS_S = 0.3


async def connect_through() -> None:
    """All connect, and all but one at once, though the connect timeout is never over."""
    async with discovered(
        1,
        0,
        addresses=["10.9.0.5", "127.0.0.1"],
        timeouts=Timeouts(connect_s=1000.0, next_address_s=NEXT_ADDRESS_S),
        resolve_interval_s=1000.0,
    ) as (proxied, _):
        took_s = []
        for _ in range(CONNECTIONS):
            started_s = trio.current_time()
            await proxied.connect()
            took_s.append(trio.current_time() - started_s)
        (failed,) = proxied.events("connect_failed")
        assert failed["reason"] == "connect_overtaken"
        assert failed["address"].startswith("10.9.0.5:")
        assert statistics.median(took_s) < NEXT_ADDRESS_S <= max(took_s)
        (backend,) = proxied.proxy.status().routes[0].backends
        assert (backend.state, backend.failed) == ("up", {"connect_overtaken": 1})


def test_all_connect_through(program: Callable[[str], str]) -> None:
    assert run_in_own_network(program, SCRIPT, program("ip")) == "connected\n"
