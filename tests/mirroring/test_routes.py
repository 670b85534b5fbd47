"""Several routes in a worker: each has its own mirrors, and they share what a worker has."""

from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from spliceproxy.errors import UsageProblem
from spliceproxy.serving import serve
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.settings.proxy import RouteSettings, Settings
from tests.mirroring.mirrored import LOCALHOST, check_accounts
from tests.proxy.judge import exchange
from tests.proxy.peer import Acceptor, open_peer
from tests.proxy.relay import Connection, eventually
from tests.streams import KERNEL_CHOICE


def route(name: str, port: int, *mirrors: str, max_connections: int = 4) -> RouteSettings:
    return RouteSettings(
        name=name,
        listen=(ListenSettings(address=TcpAddress(LOCALHOST, 0)),),
        backends=(BackendSettings(address=TcpAddress(LOCALHOST, port)),),
        max_connections=max_connections,
        mirrors=tuple(map(parse_mirror, mirrors)),
    )


async def test_each_has_its_own_mirrors(tmp_path: Path) -> None:
    acceptor = Acceptor((LOCALHOST, 0), KERNEL_CHOICE, 16)
    port = int(acceptor.address[1])
    routes = (
        route("a", port, f"file:{tmp_path}/a", max_connections=3),
        route("b", port, f"file:{tmp_path}/b", "null:?direction=request", max_connections=5),
        route("plain", port),
    )
    with trio.fail_after(20), capture_logs() as log:
        async with serve(Settings(workers=1, routes=routes)) as proxy:
            worker = proxy.worker
            assert worker.mirrors is not None
            assert worker.mirrors.streams.most == 3 * 2 + 5 * (2 + 1)
            assert len({id(mirror.disk) for mirror in worker.mirrors.mirrors}) == 3
            for address, text in zip(proxy.addresses, (b"to a", b"to b", b"plain"), strict=True):
                client = await open_peer(address, KERNEL_CHOICE)
                backend = await acceptor.accept()
                await exchange(Connection(client, backend), text, b"answer", seed=1)
                client.close()
                backend.close()
            await eventually(lambda: not worker.sessions and not worker.mirroring)
            assert worker.mirrors.budget.used_bytes == 0
            assert worker.mirrors.streams.taken == 0
    acceptor.close()
    lines = {line["route"]: line for line in log if line["event"] == "connection"}
    assert {name: len(line["mirrors"] or ()) for name, line in lines.items()} == {
        "a": 2,
        "b": 3,
        "plain": 0,
    }
    check_accounts([lines["a"], lines["b"]])
    for name in "ab":
        [request] = (tmp_path / name).glob("*/*-request")
        assert request.read_bytes() == f"to {name}".encode()


async def test_a_directory_is_not_shared(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    texts = (f"file:{tmp_path}/audit", f"file:{tmp_path}/link/audit")
    routes = tuple(route(name, 9, text) for name, text in zip("ab", texts, strict=True))
    with pytest.raises(UsageProblem, match="another file mirror has the same directory"):
        async with serve(Settings(workers=1, routes=routes)):
            pytest.fail("it serves")
