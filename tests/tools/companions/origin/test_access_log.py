import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from spliceproxy.observe.line_buffer import LineBuffer
from spliceproxy.observe.log_outlet import open_outlet

from .serving import request, serving, talk


class Log:
    """A log whose lines come out of a pipe."""

    def __init__(self) -> None:
        self._read_fd, self._write_fd = os.pipe()
        self.buffer = LineBuffer(open_outlet(self._write_fd))

    def lines(self) -> list[str]:
        self.buffer.flush()
        return os.read(self._read_fd, 1 << 16).decode("ascii").splitlines()

    def close(self) -> None:
        self.buffer.close()
        os.close(self._read_fd)
        os.close(self._write_fd)


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log()
    yield made
    made.close()


async def test_one_line_a_request(root: Path, log: Log) -> None:
    async with serving(root, log=log.buffer) as port:
        received = await talk(port, request("/text.txt") + request("/no", "HEAD"))
        one, two = log.lines()
    pattern = r'127\.0\.0\.1:\d+ - - \[.* \+0000\] "(.*)" (\d+) (\d+) [\d.]+ms (\w+)'
    first, second = re.fullmatch(pattern, one), re.fullmatch(pattern, two)
    assert first is not None
    assert second is not None
    assert (first[1], first[2], first[4]) == ("GET /text.txt HTTP/1.1", "200", "complete")
    assert (second[1], second[2]) == ("HEAD /no HTTP/1.1", "404")
    assert int(first[3]) + int(second[3]) == len(received)


async def test_what_is_no_request_has_a_line_too(root: Path, log: Log) -> None:
    async with serving(root, log=log.buffer) as port:
        await talk(port, b"\xff\r\n\r\n")
        (line,) = log.lines()
    assert '"-" 400 ' in line


async def test_a_target_cannot_end_its_field(root: Path, log: Log) -> None:
    async with serving(root, log=log.buffer) as port:
        await talk(port, request('/"\\' + "a" * 5000))
        (line,) = log.lines()
    assert r'"GET /\x22\x5caaa' in line
    assert line.count('"') == 2
    assert len(line) < 4096
