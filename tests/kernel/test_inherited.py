"""What systemd has passed, as its variables tell it."""

import os
import socket
from collections.abc import Iterator

import pytest

from spliceproxy.kernel.inherited import InheritedSockets, find_inherited


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.set_inheritable(True)
        yield sock.fileno()


def passed(**variables: str) -> tuple[tuple[int, str], ...]:
    environ = {name.upper(): value for name, value in variables.items()}
    found = find_inherited(environ)
    assert environ == {}
    return found.passed


OURS = str(os.getpid())


def test_what_listens_is_found_and_kept_from_programs_to_come(listening: int) -> None:
    assert listening in find_inherited({}).listening
    assert not os.get_inheritable(listening)


def test_names() -> None:
    named = passed(listen_pid=OURS, listen_fds="2", listen_fdnames="web:db")
    assert named == ((3, "web"), (4, "db"))
    assert passed(listen_pid=OURS, listen_fds="1") == ((3, "unknown"),)
    assert passed(listen_pid=OURS, listen_fds="2", listen_fdnames="web")[1] == (4, "unknown")


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"listen_fds": "1"},
        {"listen_pid": "1", "listen_fds": "1"},
        {"listen_pid": OURS, "listen_fds": ""},
        {"listen_pid": OURS, "listen_fds": "-1"},
        {"listen_pid": OURS, "listen_fds": "many"},
        {"listen_pid": OURS, "listen_fds": "9" * 100},
    ],
)
def test_nothing(variables: dict[str, str]) -> None:
    assert passed(**variables) == ()


def test_the_number_is_bounded() -> None:
    assert len(passed(listen_pid=OURS, listen_fds="9999")) == 4096


def test_what_is_closed_is_forgotten() -> None:
    found = InheritedSockets(frozenset({3, 4}), ((3, "a"), (4, "b")))
    assert found.without({3}) == InheritedSockets(frozenset({4}), ((4, "b"),))
