import pytest

from tools.companions.origin.descriptors import Shares, share_out


@pytest.mark.parametrize(
    ("limit", "method", "connections", "maps"),
    [
        (100_000, "auto", 1000, 1000),
        (100_000, "mmap", 1000, 1000),
        (256, "auto", 112, 1000),
        (256, "mmap", 37, 112),
        (256, "splice", 56, 1000),
        (10, "mmap", 1, 1),
    ],
)
def test_shares(limit: int, method: str, connections: int, maps: int) -> None:
    assert share_out(limit, method, connections=1000, maps=1000) == Shares(connections, maps)
