"""nginx behind the proxy: large files, parallel downloads, and connections by the thousand."""

import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import StartProxy
from .nginx import nginx
from .peers import random_bytes
from .servers import run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LARGE_BYTES = 200 << 20
SHORT_CONNECTIONS = 50_000
SHORT_CONNECTIONS_BUDGET_S = 25


@pytest.fixture(scope="module")
def web(
    program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, Path]]:
    with nginx(program("nginx"), tmp_path_factory.mktemp("nginx")) as (port, root):
        (root / "small").write_bytes(random_bytes(100))
        (root / "medium").write_bytes(random_bytes(1 << 20))
        (root / "large").write_bytes(random_bytes(1 << 20) * (LARGE_BYTES >> 20))
        yield port, root
        (root / "large").unlink()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_a_large_file(
    start_proxy: StartProxy, program: Callable[[str], str], web: tuple[int, Path], tmp_path: Path
) -> None:
    proxy = start_proxy("--backend", f"127.0.0.1:{web[0]}")
    copy = tmp_path / "copy"
    url = f"http://127.0.0.1:{proxy.port}/large"
    run([program("curl"), "--silent", "--show-error", "--fail", "--output", str(copy), url])
    assert file_sha256(copy) == file_sha256(web[1] / "large")
    copy.unlink()
    line = proxy.log.wait("connection")[0]
    assert line["response_bytes"] > LARGE_BYTES
    assert (line["copied_bytes"], line["reason"]) == (0, "closed")


def test_a_hundred_downloads_at_once(
    start_proxy: StartProxy, program: Callable[[str], str], web: tuple[int, Path], tmp_path: Path
) -> None:
    proxy = start_proxy("--backend", f"127.0.0.1:{web[0]}")
    argv = [program("curl"), "--silent", "--show-error", "--fail", "--parallel"]
    argv += ["--parallel-immediate", "--parallel-max", "100", "--output", f"{tmp_path}/#1"]
    run([*argv, f"http://127.0.0.1:{proxy.port}/medium?[1-100]"])
    wanted = file_sha256(web[1] / "medium")
    assert [file_sha256(tmp_path / str(number)) for number in range(1, 101)] == [wanted] * 100


@pytest.mark.timeout(120)
def test_short_connections_leave_nothing_behind(
    start_proxy: StartProxy, program: Callable[[str], str], web: tuple[int, Path]
) -> None:
    proxy = start_proxy("--backend", f"127.0.0.1:{web[0]}")
    workers = proxy.workers()
    argv = [program("wrk"), "--threads", "1", "--connections", "64", "--duration", "4s"]
    argv += ["--header", "Connection: close", f"http://127.0.0.1:{proxy.port}/small"]
    done = 0
    deadline_s = time.monotonic() + SHORT_CONNECTIONS_BUDGET_S
    while done < SHORT_CONNECTIONS and time.monotonic() < deadline_s:
        output = run(argv)
        assert "Socket errors" not in output
        assert "Non-2xx" not in output
        requests = re.search(r"(\d+) requests in", output)
        assert requests is not None
        done += int(requests[1])
    assert done > 1000
    # What wrk cut off at the end of a round may have ended in other ways.
    endings = Counter(line["reason"] for line in proxy.log.all("connection"))
    assert endings["closed"] > 0.9 * done
    assert proxy.workers() == workers


def test_kept_connections(
    start_proxy: StartProxy, program: Callable[[str], str], web: tuple[int, Path]
) -> None:
    proxy = start_proxy("--backend", f"127.0.0.1:{web[0]}")
    argv = [program("wrk"), "--threads", "1", "--connections", "200", "--duration", "2s"]
    argv += ["--timeout", "20s"]
    output = run([*argv, f"http://127.0.0.1:{proxy.port}/medium"])
    assert "Socket errors" not in output
    assert "Non-2xx" not in output
