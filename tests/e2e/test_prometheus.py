"""The metrics page as Prometheus' own programs see it."""

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ports import free_port

from .administered import Administered
from .conftest import StartProxy
from .load import EchoLoad, echo_server
from .processes import wait_until
from .reloading import RoutesFile, route
from .servers import serving

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

VIEWER_TOKEN = "0123456789abcdef"
CONNECTIONS = 'spliceproxy_connections_total{route="main"}'


@pytest.fixture
def echo() -> Iterator[str]:
    with echo_server() as address:
        yield address


def test_promtool_has_nothing_to_say(
    start_proxy: StartProxy, program: Callable[[str], str], echo: str, tmp_path: Path
) -> None:
    admin = Administered(tmp_path / "admin")
    file = RoutesFile(tmp_path / "routes.yaml")
    mirrors = [{"to": f"file:{tmp_path}/copies"}, {"to": "null:", "direction": "request"}]
    file.write(route("127.0.0.1:0", echo, mirrors=mirrors), admin=f"unix:{admin.path}")
    proxy = file.start(start_proxy)
    admin.wait()
    with EchoLoad(proxy.port) as load:
        load.complete_more(20)
    # promtool reads the format before OpenMetrics.
    page = admin.curl("http://localhost/metrics")
    assert 'spliceproxy_mirror_delivered_bytes_total{mirror="null:"' in page
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=page,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@contextmanager
def prometheus(binary: str, target: str, directory: Path) -> Iterator[Callable[[str], list[Any]]]:
    """Run Prometheus, which scrapes a target each second; yields what asks it."""
    config = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [
            {
                "job_name": "proxy",
                "static_configs": [{"targets": [target]}],
                "authorization": {"credentials": VIEWER_TOKEN},
            }
        ],
    }
    directory.mkdir()
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    argv = [
        binary,
        f"--config.file={directory}/prometheus.yml",
        f"--storage.tsdb.path={directory}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]

    def ask(query: str) -> list[Any]:
        url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(query)}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            found: list[Any] = json.load(answer)["data"]["result"]
        return found

    with serving(argv, port, directory / "log"):
        yield ask


def test_a_real_prometheus_scrapes_it(
    start_proxy: StartProxy, program: Callable[[str], str], echo: str, tmp_path: Path
) -> None:
    target = f"127.0.0.1:{free_port()}"
    file = RoutesFile(tmp_path / "routes.yaml")
    file.write(route("127.0.0.1:0", echo), admin={"listen": target, "viewer_token": VIEWER_TOKEN})
    proxy = file.start(start_proxy)
    with (
        prometheus(program("prometheus"), target, tmp_path / "prometheus") as ask,
        EchoLoad(proxy.port) as load,
    ):

        def scraped() -> float:
            found = ask(CONNECTIONS)
            return float(found[0]["value"][1]) if found else -1

        load.complete_more(20)
        wait_until(lambda: scraped() >= 20, 30, "a scrape with twenty connections")
        before = scraped()
        load.complete_more(20)
        wait_until(lambda: scraped() > before, 30, "a later scrape")
        assert ask(f"rate({CONNECTIONS}[10s]) > 0")
        assert [one["value"][1] for one in ask("up")] == ["1"]
        quantile = "histogram_quantile(0.9, spliceproxy_backend_connect_seconds_bucket)"
        assert 0 < float(ask(quantile)[0]["value"][1]) < 20
    done = proxy.log.all("connection")
    assert before <= len(done) + 3  # those that were open
