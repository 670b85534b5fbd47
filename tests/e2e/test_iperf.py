"""iperf3 through the proxy: bulk on one and on several streams, in both directions."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .servers import run, serving

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

BULK_BYTES = 256 << 20


@pytest.fixture(scope="module")
def iperf(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    argv = [program("iperf3"), "--server", "--bind", "127.0.0.1", "--port", str(port)]
    with serving(argv, port, tmp_path_factory.mktemp("iperf3") / "log"):
        yield port


@pytest.mark.parametrize("streams", [1, 8])
@pytest.mark.parametrize("direction", ["--forceflush", "--reverse"], ids=["upload", "download"])
def test_bulk(
    start_proxy: StartProxy,
    program: Callable[[str], str],
    iperf: int,
    streams: int,
    direction: str,
) -> None:
    proxy = start_proxy("--backend", f"127.0.0.1:{iperf}")
    argv = [program("iperf3"), "--client", "127.0.0.1", "--port", str(proxy.port), "--json"]
    argv += ["--parallel", str(streams), "--bytes", str(BULK_BYTES), direction]
    result = json.loads(run(argv))
    assert "error" not in result
    assert len(result["end"]["streams"]) == streams
    assert result["end"]["sum_sent"]["bytes"] >= BULK_BYTES
    # One connection more: iperf3's control connection.
    lines = proxy.log.wait("connection", count=streams + 1)
    moved = sum(line["request_bytes"] + line["response_bytes"] for line in lines)
    assert moved >= result["end"]["sum_received"]["bytes"] > 0
