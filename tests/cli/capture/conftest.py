"""A capture of three connections, and the command that reads it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spliceproxy.cli.main import run
from tests.capture.recorded import Recorded
from tests.descriptors import no_descriptor_is_left_open

__all__ = ["no_descriptor_is_left_open"]

FIRST, SECOND, THIRD = (f"0000000000000001-{number}" for number in (1, 2, 3))

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The first has all that can happen, the second has not ended, the third speaks IPv6."""
    path = tmp_path / "capture"
    path.mkdir()
    recorded = Recorded(path)
    recorded.open(1, route="web")
    recorded.data(1, b"GET / HTTP/1.1\r\n\r\n", 1)
    recorded.data(1, b"\x1b[31mred\x07" + b"x" * 5000, 2, direction="response")
    recorded.gap(1, 18, 10, 3, reason="file_enospc")
    recorded.data(1, "größer\n".encode(), 4, offset=28)
    recorded.end(1, 37, 5)
    recorded.end(1, 5009, 6, direction="response", is_reset=True)
    recorded.close(1, 7, reason="backend_reset")
    recorded.open(2, 8, client="192.0.2.200:1", backend="198.51.100.1:443", backend_name="b\x1b")
    recorded.data(2, b"abc", 9)
    recorded.next_segment()
    recorded.open(3, 2000, client="[2001:db8::7]:40001", server_name="Example.org")
    recorded.data(3, bytes(range(40)), 3000)
    recorded.close(3, 4000)
    recorded.seal()
    return path


@pytest.fixture
def capture(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command; gives its exit status, and what it has said on both outputs."""

    def call(command: str, *arguments: object) -> tuple[int, str, str]:
        status = run(["capture", command, *map(str, arguments)])
        return status, *capfd.readouterr()

    return call


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
