"""A proxy inside a Trio program: where it listens, what it says, what it leaves behind."""

import socket
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from spliceproxy.errors import StartProblem
from spliceproxy.kernel import sockets
from spliceproxy.serving import serve
from spliceproxy.settings.address import Address, TcpAddress, UnixAddress
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.proxy import RouteSettings, Settings
from spliceproxy.settings.single_route import single_route
from spliceproxy.settings.timeouts import Timeouts
from tests.descriptors import open_descriptors
from tests.proxy.bookkeeping import live_links
from tests.proxy.peer import Acceptor, open_peer
from tests.proxy.relay import Mode, all_modes, eventually, plain_and_tls, relay
from tests.streams import KERNEL_CHOICE, RESET_ON_CLOSE, needs_ipv6

ANY_PORT = TcpAddress("127.0.0.1", 0)


def settings(*listen: Address, backend: Address = ANY_PORT) -> Settings:
    return single_route(listen, (backend,), workers=1)


@all_modes
async def test_the_line_of_a_connection(mode: Mode) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            connection = await proxied.connect()
            await connection.client.send(b"four")
            assert await connection.backend.receive_exactly(4) == b"four"
            await connection.backend.send(b"eleven more")
            assert await connection.client.receive_exactly(11) == b"eleven more"
            connection.client.finish()
            connection.backend.finish()
            line = dict(await proxied.line())
            client = "{}:{}".format(*connection.client.sock.getsockname())
            backend = "{}:{}".format(*proxied.acceptor.address)
            listener = "{}:{}".format(*proxied.proxy.addresses[0])
            assert line.pop("duration_s") >= line.pop("connect_s") >= 0
            assert line.pop("closed_by") in {"client", "backend"}  # both, at once
    by_tls = "client" in mode.tls
    assert line == {
        "event": "connection",
        "log_level": "info",
        "worker": 0,
        "generation": 0,
        "route": "default",
        "listener": listener,
        "client": client,
        "peer": None,
        "server_name": "localhost" if by_tls else None,
        "tls": {"version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384"} if by_tls else None,
        "tlvs": None,
        "backend": backend,
        "attempts": 1,
        "queue_s": None,
        "request_bytes": 4,
        "response_bytes": 11,
        "undelivered_bytes": 0,
        "spliced_bytes": 15 if mode.splices else 0,
        "copied_bytes": 0 if mode.splices else 15,
        "reason": "closed",
        "termination": "--",
        "mirrors": None,
    }


async def test_the_level_of_the_log_turns_the_lines_off() -> None:
    with trio.fail_after(20):
        async with relay(log_level="warning") as proxied:
            connection = await proxied.connect()
            connection.client.close()
            connection.backend.close()
            await proxied.settled()
            assert proxied.log == []


@plain_and_tls
async def test_both_sockets_have_their_options(mode: Mode) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode, tcp_user_timeout_s=7.5, idle_timeout_s=86400.0) as proxied:
            await proxied.connect()
            (link,) = live_links(proxied.worker)
            for sock in (link.client.sock, link.backend.sock):
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7500
                assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == RESET_ON_CLOSE
                assert sock.gettimeout() == 0


async def test_a_backend_is_not_probed_where_silence_ends_the_connection_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "_KEEPALIVE_TIME_S", 7200)
    with trio.fail_after(20):
        async with relay(idle_timeout_s=7200.0) as proxied:
            await proxied.connect()
            (link,) = live_links(proxied.worker)
            assert not link.backend.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@all_modes
async def test_the_backend_speaks_first(mode: Mode) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            connection = await proxied.connect()
            await connection.backend.send(b"220 ready")
            assert await connection.client.receive_exactly(9) == b"220 ready"


@needs_ipv6
async def test_several_listeners_of_several_kinds(tmp_path: Path) -> None:
    acceptor = Acceptor(("127.0.0.1", 0), KERNEL_CHOICE, 16)
    backend = TcpAddress("127.0.0.1", int(acceptor.address[1]))
    unix = UnixAddress(str(tmp_path / "listen"))
    v6 = TcpAddress("::1", 0)
    with trio.fail_after(20), capture_logs() as log:
        async with serve(settings(ANY_PORT, v6, unix, backend=backend)) as proxy:
            tcp, second, path = proxy.addresses
            assert path == unix.path
            assert second[0] == "::1"
            for address in (tcp, path):
                client = await open_peer(address, KERNEL_CHOICE)
                far = await acceptor.accept()
                client.close()
                assert await far.receive_rest() == (b"", "eof")
                far.close()
        assert not Path(unix.path).exists()  # noqa: ASYNC240 - a moment
    acceptor.close()
    names = ["{}:{}".format(*tcp), f"unix:{unix.path}"]
    assert [line["listener"] for line in log if line["event"] == "connection"] == names
    assert [line["client"] == "unix" for line in log] == [False, True]


async def test_the_port_is_free_afterwards() -> None:
    with trio.fail_after(20):
        async with serve(settings(ANY_PORT)) as proxy:
            address = proxy.addresses[0]
        with socket.socket() as sock, pytest.raises(ConnectionRefusedError):
            sock.connect(address)
        async with serve(settings(TcpAddress("127.0.0.1", int(address[1])))):
            pass


async def test_leaving_the_block_resets_what_is_left() -> None:
    acceptor = Acceptor(("127.0.0.1", 0), KERNEL_CHOICE, 16)
    backend = TcpAddress("127.0.0.1", int(acceptor.address[1]))
    with trio.fail_after(20):
        async with serve(settings(ANY_PORT, backend=backend)) as proxy:
            client = await open_peer(proxy.addresses[0], KERNEL_CHOICE)
            far = await acceptor.accept()
        for peer in (client, far):
            assert await peer.receive_rest() == (b"", "reset")
            peer.close()
    acceptor.close()


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = TcpAddress("127.0.0.1", other.getsockname()[1])
        unix = UnixAddress(str(tmp_path / "listen"))
        with pytest.raises(StartProblem, match=r"cannot listen on .*Address already in use"):
            async with serve(settings(unix, taken)):
                pass
        assert not Path(unix.path).exists()  # noqa: ASYNC240 - a moment


async def test_a_backend_whose_name_does_not_resolve() -> None:
    unknown = TcpAddress("no-such-host.invalid", 80)
    with pytest.raises(StartProblem, match="does not resolve"):
        async with serve(settings(ANY_PORT, backend=unknown)):
            pass


@plain_and_tls
async def test_an_idle_connection_holds_two_descriptors_and_no_pipe(mode: Mode) -> None:
    with trio.fail_after(20):
        async with relay(mode=mode) as proxied:
            first = await proxied.connect()
            await first.client.send(b"x")
            await first.backend.receive_exactly(1)
            before = len(open_descriptors())
            for _ in range(50):
                connection = await proxied.connect()
                await connection.client.send(b"x")
                await connection.backend.receive_exactly(1)
            # Two of each connection are the test's own.
            assert len(open_descriptors()) == before + 50 * (2 + 2)
            assert proxied.worker.pipes.statistics().in_use == 0


async def test_two_routes_go_their_own_ways() -> None:
    acceptors = [Acceptor(("127.0.0.1", 0), KERNEL_CHOICE, 16) for _ in range(2)]
    routes = [
        RouteSettings(
            name=name,
            listen=(ListenSettings(address=ANY_PORT),),
            backends=(BackendSettings(address=TcpAddress("127.0.0.1", int(acceptor.address[1]))),),
            max_connections=1,
            timeouts=Timeouts(idle_s=idle_s),
        )
        for name, acceptor, idle_s in zip("ab", acceptors, (0.05, 60.0), strict=True)
    ]
    with trio.fail_after(20), capture_logs() as log:
        async with serve(Settings(workers=1, routes=tuple(routes))) as proxy:
            clients = [await open_peer(address, KERNEL_CHOICE) for address in proxy.addresses]
            # The other route's connection takes no place here, and the other's timeout is its own.
            far = [await acceptor.accept() for acceptor in acceptors]
            assert await clients[0].receive_rest() == (b"", "reset")
            await clients[1].send(b"still there")
            assert await far[1].receive_exactly(11) == b"still there"
            clients[1].finish()
            far[1].finish()
            await eventually(lambda: not proxy.worker.sessions)
        for peer in (*clients, *far):
            peer.close()
        for acceptor in acceptors:
            acceptor.close()
    lines = [line for line in log if line["event"] == "connection"]
    assert [(line["route"], line["reason"]) for line in lines] == [
        ("a", "idle_timeout"),
        ("b", "closed"),
    ]


async def test_a_full_route_leaves_the_others_alone() -> None:
    acceptor = Acceptor(("127.0.0.1", 0), KERNEL_CHOICE, 16)
    backend = BackendSettings(address=TcpAddress("127.0.0.1", int(acceptor.address[1])))
    routes = tuple(
        RouteSettings(
            name=name,
            listen=(ListenSettings(address=ANY_PORT),),
            backends=(backend,),
            max_connections=1,
        )
        for name in "ab"
    )
    with trio.fail_after(20):
        async with serve(Settings(workers=1, routes=routes)) as proxy:
            full, other = proxy.addresses
            peers = [await open_peer(full, KERNEL_CHOICE), await acceptor.accept()]
            waiting = await open_peer(full, KERNEL_CHOICE)
            peers += [await open_peer(other, KERNEL_CHOICE), await acceptor.accept()]
            assert len(proxy.worker.sessions) == 2
            peers[0].finish()
            peers[1].finish()
            peers += [waiting, await acceptor.accept()]
            assert len(proxy.worker.sessions) == 2
        for peer in peers:
            peer.close()
        acceptor.close()
