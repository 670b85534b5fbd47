import dataclasses
import os

import pytest

from spliceproxy.settings.address import Address, TcpAddress, UnixAddress
from spliceproxy.settings.options import Settings, find_duplicate, usable_cpus

ONE = TcpAddress("127.0.0.1", 8080)
ANY_PORT = TcpAddress("127.0.0.1", 0)
PATH = UnixAddress("/run/app.sock")


def test_settings_cannot_be_changed() -> None:
    settings = Settings(listen=(ONE,), backends=(PATH,), workers=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.workers = 2  # type: ignore[misc]


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


def test_usable_cpus_follow_the_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 5, 7})
    assert usable_cpus() == 3
