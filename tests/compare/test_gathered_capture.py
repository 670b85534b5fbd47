"""Connections that were live together, each with its own bytes."""

from contextlib import closing
from pathlib import Path

import pytest

from spliceproxy.compare.gathered_capture import GatheredCapture
from tests.capture.recorded import Recorded


@pytest.mark.parametrize("most_held_bytes", [1, 100, 1 << 20])
def test_each_has_its_bytes_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_held_bytes: int
) -> None:
    monkeypatch.setattr("spliceproxy.compare.gathered_capture._MOST_HELD_BYTES", most_held_bytes)
    capture = Recorded(tmp_path)
    for number in range(3):
        capture.open(number)
    for at in range(50):
        for number in range(3):
            data = b"%d:%d," % (number, at)
            capture.data(number, data, at, direction="response", offset=at * len(data))
    for number in range(3):
        capture.close(number, 60)
    capture.seal()
    wanted = {f"{1:016x}-{number}" for number in (0, 2)}
    with closing(GatheredCapture(tmp_path, wanted)) as gathered:
        for found in gathered.connections.values():
            number = found.facts.id.number
            expected = [b"%d:%d," % (number, at) for at in range(50)] if number != 1 else []
            assert [piece.data for piece in found.pieces()] == expected
            assert all(piece.is_response for piece in found.pieces())
            assert found.facts.closed is not None
