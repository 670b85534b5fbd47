"""Every method sends the same bytes, around the boundaries of pages and pipes."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools.companions.origin.senders import ORIGIN_METHODS

from .origin_server import origin_server
from .peers import random_bytes

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

BOUNDARIES = [4096, 16 << 10, 64 << 10, 1 << 20, 2 << 20]
SIZES = [0, 1, *(edge + shift for edge in BOUNDARIES for shift in (-1, 0, 1)), (5 << 20) + 3]
PAYLOAD = random_bytes(max(SIZES))
RANGES = [(4095, 2), (4096, 4096), (1, 65_536), (65_535, 65_538), (1_048_575, 2), (7, 5_000_000)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("root")
    for size_bytes in SIZES:
        (directory / str(size_bytes)).write_bytes(PAYLOAD[:size_bytes])
    return directory


@contextmanager
def client(port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        yield connection
    finally:
        connection.close()


@pytest.mark.parametrize("method", ORIGIN_METHODS)
def test_all_sizes_and_ranges_are_byte_equal(root: Path, method: str) -> None:
    with origin_server(root, "--method", method) as server, client(server.port) as connection:
        for size_bytes in SIZES:
            connection.request("GET", f"/{size_bytes}")
            assert connection.getresponse().read() == PAYLOAD[:size_bytes], size_bytes
        for offset, length in RANGES:
            part = {"Range": f"bytes={offset}-{offset + length - 1}"}
            connection.request("GET", f"/{SIZES[-1]}", headers=part)
            assert connection.getresponse().read() == PAYLOAD[offset : offset + length], offset


@pytest.mark.parametrize("method", ORIGIN_METHODS)
def test_small_buffers_and_turns(root: Path, method: str) -> None:
    options = ("--method", method, "--buffer", "4KiB", "--chunk", "10000")
    with origin_server(root, *options) as server, client(server.port) as connection:
        for size_bytes in (65_537, SIZES[-1]):
            connection.request("GET", f"/{size_bytes}")
            assert connection.getresponse().read() == PAYLOAD[:size_bytes]
