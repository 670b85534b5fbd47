"""A disk that hangs: traffic flows, other mirrors work, and the proxy can be stopped."""

import threading
import time
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from spliceproxy.serving import Proxy, serve
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.settings.single_route import single_route
from spliceproxy.sinks import disk, file_outlet
from spliceproxy.sinks.file_outlet import FileOutlet
from tests.mirroring.mirrored import LOCALHOST
from tests.proxy.judge import exchange
from tests.proxy.peer import Acceptor, open_peer
from tests.proxy.relay import Connection, eventually
from tests.sinks.places import FilePlace
from tests.streams import KERNEL_CHOICE


def are_over(proxy: Proxy, mirror: str) -> bool:
    """Whether a mirror has all streams of six connections, and knows it."""
    streams = [
        branch
        for session in proxy.worker.mirroring
        if session.mirrors is not None
        for of, branch in session.mirrors.branches
        if of.settings.target.endswith(mirror)
    ]
    return len(streams) == 12 and all(branch.over for branch in streams)


async def test_it_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("good", "hung"):
        (tmp_path / name).mkdir()
    hangs = threading.Event()
    real = FileOutlet._write

    def write(self: FileOutlet) -> file_outlet._Written:
        if Path(self._directory.path).name == "hung":
            hangs.wait()
            return file_outlet._Written()
        return real(self)

    monkeypatch.setattr(FileOutlet, "_write", write)
    monkeypatch.setattr(disk, "_EXIT_S", 0.2)
    acceptor = Acceptor((LOCALHOST, 0), KERNEL_CHOICE, 16)
    settings = single_route(
        listen=(TcpAddress(LOCALHOST, 0),),
        backends=(TcpAddress(LOCALHOST, int(acceptor.address[1])),),
        workers=1,
        mirrors=tuple(parse_mirror(f"file:{tmp_path}/{name}") for name in ("hung", "good")),
    )
    try:
        with trio.fail_after(30), capture_logs() as log:
            async with serve(settings) as proxy:
                for _ in range(6):  # more than there are threads
                    client = await open_peer(proxy.addresses[0], KERNEL_CHOICE)
                    backend = await acceptor.accept()
                    outcomes = await exchange(
                        Connection(client, backend), b"question", b"answer", seed=1
                    )
                    assert [outcome.received for outcome in outcomes] == [b"question", b"answer"]
                    client.close()
                    backend.close()
                await eventually(lambda: are_over(proxy, "good"))
                started_s = time.monotonic()
            assert time.monotonic() - started_s < 5
    finally:
        hangs.set()
        acceptor.close()
    lines = [line for line in log if line["event"] == "connection"]
    assert len(lines) == 6
    for line in lines:
        for account in line["mirrors"]:
            sums = [account[f"{name}_bytes"] for name in ("delivered", "dropped", "queued")]
            assert account["offered_bytes"] == sum(sums)
            assert (account["state"] == "complete") == account["to"].endswith("good")
    assert not list(FilePlace(tmp_path / "hung").directory.glob("*/*-request"))
