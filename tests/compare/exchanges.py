"""Captures of requests and answers, and of what was replayed of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spliceproxy.capture import ConnectionId
from tests.capture.recorded import Recorded

Exchange = tuple[bytes, bytes]


def record(
    directory: Path,
    connections: Sequence[Sequence[Exchange]],
    *,
    of_writer: int | None = None,
    writer: int = 1,
    answer_ms: float = 1,
    reset: bool = False,
) -> Path:
    """A capture; with `of_writer` one of a replay of that writer's."""
    directory.mkdir()
    capture = Recorded(directory, writer)
    for number, exchanges in enumerate(connections, 1):
        facts: dict[str, Any] = (
            {} if of_writer is None else {"replay_of": str(ConnectionId(of_writer, number))}
        )
        at_ms = number * 100.0
        capture.open(number, at_ms, **facts)
        sent = received = 0
        for request, answer in exchanges:
            capture.data(number, request, at_ms, offset=sent)
            capture.data(number, answer, at_ms + answer_ms, direction="response", offset=received)
            sent, received, at_ms = sent + len(request), received + len(answer), at_ms + 10
        capture.end(number, sent, at_ms)
        capture.end(number, received, at_ms, direction="response", is_reset=reset)
        capture.close(number, at_ms)
    capture.seal()
    return directory


def replayed(
    directory: Path, connections: Sequence[Sequence[Exchange]], writer: int = 2, **how: bool
) -> Path:
    return record(directory, connections, of_writer=1, writer=writer, answer_ms=2, **how)


def get(path: str, body: str, *headers: str, status: str = "200 OK") -> Exchange:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    head = "\r\n".join([*lines, f"Content-Length: {len(body.encode())}", "", ""])
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode(), (head + body).encode()
