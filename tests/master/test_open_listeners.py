"""The master's listeners change as a whole, or not at all."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.inherited import InheritedSockets
from spliceproxy.master.listen_targets import look_up_targets
from spliceproxy.master.open_listeners import OpenListeners
from spliceproxy.settings.address import TcpAddress, UnixAddress
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.listen_address import InheritedAddress, ListenAddress
from spliceproxy.settings.proxy import RouteSettings
from tests.descriptors import open_descriptors
from tests.ports import free_port

BACKEND = BackendSettings(address=TcpAddress("127.0.0.1", 9))
ANY = TcpAddress("127.0.0.1", 0)
NOTHING = InheritedSockets()


@pytest.fixture
def listeners() -> Iterator[OpenListeners]:
    with closing(OpenListeners()) as listeners:
        yield listeners


def route(name: str, *listen: ListenSettings | ListenAddress, backlog: int = 16) -> RouteSettings:
    entries = tuple(
        one if isinstance(one, ListenSettings) else ListenSettings(address=one) for one in listen
    )
    return RouteSettings(name=name, listen=entries, backends=(BACKEND,), backlog=backlog)


def change(
    listeners: OpenListeners, *routes: RouteSettings, inherited: InheritedSockets = NOTHING
) -> list[list[socket.socket]]:
    """Change, and return each route's sockets."""
    begun = listeners.change(routes, look_up_targets(routes, inherited))
    begun.commit()
    return begun.sockets


def test_a_port_of_the_kernels_choice_stays_with_its_route(listeners: OpenListeners) -> None:
    [[one], [other]] = change(listeners, route("a", ANY), route("b", ANY))
    [[kept_other], [kept_one, third]] = change(listeners, route("b", ANY), route("a", ANY, ANY))
    assert (kept_one, kept_other) == (one, other)
    assert third.getsockname() not in (one.getsockname(), other.getsockname())


def test_an_address_stays_open_when_another_route_takes_it(listeners: OpenListeners) -> None:
    [[probe]] = change(listeners, route("a", ANY))
    port = probe.getsockname()[1]
    change(listeners, route("a", UnixAddress("/tmp/unused-here")))
    [[first]] = change(listeners, route("a", TcpAddress("127.0.0.1", port)))
    [[second]] = change(listeners, route("b", TcpAddress("127.0.0.1", port)))
    assert second is first


def test_a_refused_change_leaves_everything_as_it_was(
    listeners: OpenListeners, tmp_path: Path
) -> None:
    kept, added = UnixAddress(f"{tmp_path}/kept"), UnixAddress(f"{tmp_path}/added")
    change(listeners, route("a", ANY, kept))
    names = [listener.name for listener in listeners.open.values()]
    before = open_descriptors()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = TcpAddress("127.0.0.1", taken.getsockname()[1])
        wider = ListenSettings(address=kept, mode=0o666)
        with pytest.raises(StartProblem, match="in use"):
            change(listeners, route("a", ANY, wider, added, address, backlog=5))
    assert open_descriptors() == before
    assert [listener.name for listener in listeners.open.values()] == names
    assert stat.S_IMODE(Path(kept.path).stat().st_mode) == 0o600
    assert not Path(added.path).exists()
    assert {listener.spec.backlog for listener in listeners.open.values()} == {16}


def test_one_socket_cannot_be_two_listeners(listeners: OpenListeners) -> None:
    port = free_port()
    names = (TcpAddress("127.0.0.1", port), TcpAddress("localhost", port))
    with pytest.raises(StartProblem, match="another listener is the same socket"):
        change(listeners, route("a", names[0]), route("b", names[1]))


def test_permissions_of_a_unix_socket(listeners: OpenListeners, tmp_path: Path) -> None:
    path = tmp_path / "front"
    for mode, wanted in ((None, 0o600), (0o660, 0o660), (0o606, 0o606), (None, 0o600)):
        listen = ListenSettings(
            address=UnixAddress(str(path)), mode=mode, owner=str(os.getuid()), group=None
        )
        change(listeners, route("a", listen))
        assert stat.S_IMODE(path.stat().st_mode) == wanted


def test_a_path_that_somebody_else_has_taken_over_is_left_alone(
    listeners: OpenListeners, tmp_path: Path
) -> None:
    path = tmp_path / "front"
    change(listeners, route("a", UnixAddress(str(path))))
    path.unlink()
    path.write_text("another's")
    change(listeners, route("a", ANY))
    assert path.read_text() == "another's"


def test_rights_of_a_path_that_somebody_else_has_taken_over_are_not_changed(
    listeners: OpenListeners, tmp_path: Path
) -> None:
    path, others = tmp_path / "front", tmp_path / "others"
    change(listeners, route("a", UnixAddress(str(path))))
    others.write_text("another's")
    others.chmod(0o600)
    path.unlink()
    path.symlink_to(others)
    wider = ListenSettings(address=UnixAddress(str(path)), mode=0o666, owner=None, group=None)
    with pytest.raises(StartProblem, match="whose rights are not changed"):
        change(listeners, route("a", wider))
    assert stat.S_IMODE(others.stat().st_mode) == 0o600


def test_a_path_that_cannot_be_removed_is_told_and_no_reason_to_end(
    listeners: OpenListeners, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "front"
    change(listeners, route("a", UnixAddress(str(path))))

    def refuse(_path: Path, *, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch, capture_logs() as log:
        patch.setattr(Path, "unlink", refuse)
        change(listeners, route("a", ANY))
    assert [(line["event"], line["path"]) for line in log] == [("socket_not_removed", str(path))]
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
        client.connect(str(path))


def test_what_is_inherited_is_given_back_when_the_change_is_refused(
    listeners: OpenListeners,
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as parents,
        socket.create_server(("127.0.0.1", 0)) as taken,
    ):
        inherited = InheritedSockets(frozenset({parents.fileno()}))
        address = InheritedAddress(parents.fileno())
        with pytest.raises(StartProblem):
            change(
                listeners,
                route("a", address, TcpAddress("127.0.0.1", taken.getsockname()[1])),
                inherited=inherited,
            )
        with socket.create_connection(parents.getsockname()):
            pass
        change(listeners, route("a", address), inherited=inherited)
        listeners.close()
        parents.detach()  # it is closed with the others


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        ({"owner": "no-such-user"}, "owner 'no-such-user' is not known"),
        ({"group": "no-such-group"}, "group 'no-such-group' is not known"),
    ],
)
def test_an_account_that_is_not_there(listen: dict[str, str], said: str) -> None:
    settings = ListenSettings.model_validate({"address": UnixAddress("/a"), **listen})
    with pytest.raises(StartProblem, match=said):
        look_up_targets([route("a", settings)], InheritedSockets())


def test_a_child_closes_what_is_not_its_business(listeners: OpenListeners) -> None:
    [[one], [other]] = change(listeners, route("a", ANY), route("b", ANY))
    listeners.forget_all_but([one])
    assert (one.fileno() >= 0, other.fileno()) == (True, -1)


def names_have(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 0)) for one in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


NAMED = TcpAddress("name.example", 0)
MISSING = "192.0.2.1"  # reserved for documentation: no machine has it


def test_the_addresses_of_a_name_that_are_here(
    listeners: OpenListeners, monkeypatch: pytest.MonkeyPatch
) -> None:
    names_have(monkeypatch, MISSING, "127.0.0.1")
    with capture_logs() as logs:
        [[sock]] = change(listeners, route("a", NAMED))
    assert sock.getsockname()[0] == "127.0.0.1"
    assert logs == [
        {
            "log_level": "warning",
            "event": "address_not_listened_on",
            "listen": "name.example:0",
            "address": f"{MISSING}:0",
            "error": "Cannot assign requested address",
        }
    ]
    assert change(listeners, route("a", NAMED)) == [[sock]]  # a reload keeps it


def test_a_name_with_no_address_that_is_here(
    listeners: OpenListeners, monkeypatch: pytest.MonkeyPatch
) -> None:
    [[kept]] = change(listeners, route("a", ANY))
    names_have(monkeypatch, MISSING)
    before = open_descriptors()
    with pytest.raises(StartProblem, match=r"cannot listen on name\.example:0"):
        change(listeners, route("a", NAMED))
    assert kept.fileno() >= 0
    assert open_descriptors() == before


def test_a_port_of_a_name_that_is_taken_is_refused(
    listeners: OpenListeners, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, taken.getsockname()[1]))
            for host in ("127.0.0.1", "127.0.0.2")
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with pytest.raises(StartProblem, match="cannot listen on name"):
            change(listeners, route("a", NAMED))
