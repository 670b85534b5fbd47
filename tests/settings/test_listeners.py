from itertools import permutations

import pytest

from spliceproxy.settings.address import Address, TcpAddress, UnixAddress
from spliceproxy.settings.listen_address import parse_listen
from spliceproxy.settings.listeners import TakenAddresses, find_duplicate

ONE = TcpAddress("127.0.0.1", 8080)
ANY_PORT = TcpAddress("127.0.0.1", 0)
PATH = UnixAddress("/run/app.sock")


@pytest.mark.parametrize(
    ("listen", "duplicate"),
    [
        ((), None),
        ((ONE, PATH), None),
        (
            (ONE, TcpAddress("127.0.0.1", 8081), TcpAddress("::1", 8080), TcpAddress(None, 8080)),
            None,
        ),
        ((ANY_PORT, ANY_PORT), None),
        ((ONE, PATH, TcpAddress("127.0.0.1", 8080)), ONE),
        ((PATH, ONE, PATH), PATH),
    ],
)
def test_duplicates(listen: tuple[Address, ...], duplicate: Address | None) -> None:
    assert find_duplicate(listen) == duplicate


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("80", "80", True),
        ("80", "81", False),
        ("0", "0", False),
        ("80", "127.0.0.1:80", True),
        ("80", "[::1]:80", True),
        ("80", "localhost:80", True),
        ("80", "0.0.0.0:80", True),
        ("80", "[::]:80", True),
        ("0.0.0.0:80", "127.0.0.1:80", True),
        ("0.0.0.0:80", "[::1]:80", False),
        ("0.0.0.0:80", "[::]:80", False),
        ("[::]:80", "[::1]:80", True),
        ("[::]:80", "127.0.0.1:80", False),
        ("127.0.0.1:80", "127.0.0.2:80", False),
        ("unix:/a", "unix:/a", True),
        ("unix:/a", "unix:/b", False),
        ("fd:3", "fd:3", True),
        ("fd:3", "fd:4", False),
        ("systemd", "systemd", True),
        ("systemd", "systemd:web", True),
        ("systemd:web", "systemd:web", True),
        ("systemd:web", "systemd:db", False),
        ("fd:3", "systemd", False),
    ],
)
def test_clashes_in_either_order(one: str, other: str, clash: bool) -> None:
    for first, second in permutations((one, other)):
        taken = TakenAddresses()
        assert taken.take(parse_listen(first), "the first") is None
        assert taken.take(parse_listen(second), "the second") == ("the first" if clash else None)
