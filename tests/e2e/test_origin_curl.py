"""The origin file server against curl, alone and behind the proxy; ranges compared with dd."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import StartProxy
from .origin_server import OriginServer, origin_server
from .peers import random_bytes
from .servers import run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SIZE_BYTES = 3_000_001
KEPT_REQUESTS = 10_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OriginServer]:
    root = tmp_path_factory.mktemp("root")
    (root / "file.bin").write_bytes(random_bytes(SIZE_BYTES))
    (root / "page.html").write_text("<p>page")
    with origin_server(root) as started:
        yield started


@pytest.fixture
def file(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    path = tmp_path / "expected"
    path.write_bytes(random_bytes(SIZE_BYTES))
    return path


@pytest.fixture
def curl(program: Callable[[str], str]) -> Callable[..., str]:
    def call(*arguments: str, timeout_s: float = 45) -> str:
        return run([program("curl"), "--silent", "--show-error", *arguments], timeout_s)

    return call


def dd(file: Path, offset: int, length: int, output: Path) -> bytes:
    flags = ["iflag=skip_bytes,count_bytes", "status=none"]
    run(["dd", f"if={file}", f"of={output}", f"skip={offset}", f"count={length}", "bs=64K", *flags])
    return output.read_bytes()


@pytest.mark.parametrize(
    ("ranges", "offset", "length"),
    [
        ("0-0", 0, 1),
        ("4095-4096", 4095, 2),
        ("65536-2000000", 65536, 1_934_465),
        ("2999999-", 2_999_999, 2),
        ("-70000", SIZE_BYTES - 70_000, 70_000),
    ],
)
def test_a_range_is_what_dd_reads(
    server: OriginServer,
    curl: Callable[..., str],
    file: Path,
    tmp_path: Path,
    ranges: str,
    offset: int,
    length: int,
) -> None:
    part = tmp_path / "part"
    code = curl("-r", ranges, "-o", str(part), "-w", "%{http_code}", f"{server.url}/file.bin")
    assert code == "206"
    assert part.read_bytes() == dd(file, offset, length, tmp_path / "dd")


def test_a_download_is_resumed(
    server: OriginServer, curl: Callable[..., str], file: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(file.read_bytes()[:1_234_567])
    curl("--fail", "--continue-at", "-", "-o", str(copy), f"{server.url}/file.bin")
    assert copy.read_bytes() == file.read_bytes()


def test_what_is_known_is_not_sent_again(
    server: OriginServer, curl: Callable[..., str], tmp_path: Path
) -> None:
    url, etag = f"{server.url}/file.bin", str(tmp_path / "etag")
    counts = [
        curl("--etag-save", etag, "--etag-compare", etag, "-o", "/dev/null", "-w", form, url)
        for form in ["%{http_code} %{size_download}"] * 2
    ]
    assert counts == [f"200 {SIZE_BYTES}", "304 0"]


@pytest.mark.timeout(180)  # thousands of turns, each of which may wait for the processor
def test_many_requests_on_one_connection(server: OriginServer, curl: Callable[..., str]) -> None:
    url = f"{server.url}/page.html?[1-{KEPT_REQUESTS}]"
    form = "%{http_code} %{size_download} %{num_connects}\n"
    lines = curl("-o", "/dev/null", "-w", form, url, timeout_s=150).splitlines()
    assert lines == ["200 7 1", *["200 7 0"] * (KEPT_REQUESTS - 1)]


def test_behind_the_proxy(
    server: OriginServer,
    curl: Callable[..., str],
    start_proxy: StartProxy,
    file: Path,
    tmp_path: Path,
) -> None:
    proxy = start_proxy("--backend", f"127.0.0.1:{server.port}")
    url, copy = f"http://127.0.0.1:{proxy.port}", tmp_path / "copy"
    curl("--fail", "-o", str(copy), f"{url}/file.bin")
    assert copy.read_bytes() == file.read_bytes()
    curl("--fail", "-r", "100-99999", "-o", str(copy), f"{url}/file.bin")
    assert copy.read_bytes() == file.read_bytes()[100:100_000]

    assert curl("-o", "/dev/null", "-w", "%{http_code}", f"{url}/nothing") == "404"


def test_statistics_of_the_cache(curl: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a" * 5000)
    options = ("--method", "mmap", "--preload", ".", "--statistics-path", "/counts")
    with origin_server(tmp_path, *options) as server:
        for _request in range(2):
            assert curl(f"{server.url}/a") == "a" * 5000
        counts = json.loads(curl(f"{server.url}/counts"))
    expected = {"hits": 2, "misses": 1, "evictions": 0, "files": 1, "mapped_bytes": 5000}
    assert {name: counts[name] for name in expected} == expected
