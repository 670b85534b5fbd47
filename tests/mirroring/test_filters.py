"""Mirrors for some clients and server names: configured, attached, and of every policy."""

from pathlib import Path

import pytest

import spliceproxy.capture
from spliceproxy.errors import UsageProblem
from spliceproxy.ipc.attachment import parse_attach_request
from spliceproxy.ipc.rows import MirrorCell
from spliceproxy.proxy.prepared import look_up
from spliceproxy.routes_file.load import read_settings
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.settings.single_route import single_route
from tests.formats.hellos import real_hello
from tests.mirroring.attaching import ROOM, attach, counted, nothing_is_left
from tests.proxy.relay import eventually, relay
from tests.proxy.routed import Routed, routed

OURS, OTHERS = "127.0.0.2", "127.0.0.3"


async def talk(it: Routed, source: str, *, hello: bytes = b"hello", name: str = "one") -> None:
    """Have a connection of that client, from its beginning to its end."""
    told = len(it.events("connection"))
    client = await it.open_client(source)
    await client.send(hello)
    backend = await it.accept(name)
    assert await backend.receive_exactly(len(hello)) == hello
    client.finish()
    backend.finish()
    await client.receive_rest()
    await eventually(lambda: len(it.events("connection")) > told)


@pytest.mark.parametrize("overflow", ["detach", "gap", "block"])
async def test_a_capture_of_some_clients(overflow: str, tmp_path: Path) -> None:
    routes = f"""\
- listen: 127.0.0.1:0
  backends: ${{one}}
  mirrors:
  - {{to: "capture:{tmp_path}", overflow: {overflow}, clients: [{OURS}, 192.0.2.0/24]}}
"""
    async with routed(routes) as it:
        await talk(it, OTHERS)
        await talk(it, OURS)
        others, ours = it.events("connection")
        assert (others["mirrors"], len(ours["mirrors"])) == (None, 2)
        assert it.route().mirrors[0].streams == 2
    [connection] = spliceproxy.capture.open(tmp_path).connections()
    assert str(connection.facts["client"]).startswith(OURS)
    assert connection.is_whole


async def test_server_names_where_sni_leads_here_and_where_it_does_not() -> None:
    routes = """\
- name: tls
  listen: 127.0.0.1:0
  backends: ${one}
  sni: {names: ["*.b.example"], route: two}
  mirrors: ["null:?server_names=*.a.example"]
- {name: two, backends: "${two}", mirrors: [{to: "null:", server_names: x.b.example}]}
"""
    async with routed(routes) as it:
        await talk(it, OURS, hello=real_hello("x.a.example"))
        await talk(it, OURS, hello=real_hello("elsewhere.example"))
        await talk(it, OURS, hello=b"no TLS at all")
        await talk(it, OURS, hello=real_hello("x.b.example"), name="two")
        await talk(it, OURS, hello=real_hello("y.b.example"), name="two")
        assert [it.route(number).mirrors[0].streams for number in (0, 1)] == [2, 2]
        named = [line["server_name"] for line in it.events("connection") if line["mirrors"]]
        assert named == ["x.a.example", "x.b.example"]


async def test_attached_mirrors_have_filters_too() -> None:
    async with relay(**ROOM) as it:
        assert attach(it, 1, to="null:?clients=127.0.0.1")
        assert attach(it, 2, to="null:?clients=10.0.0.0/8")
        # Both hold: the network that an operator asks for, and that of the mirror.
        assert attach(it, 3, to="null:?clients=127.0.0.1", client="10.0.0.0/8")
        assert attach(it, 4, to="null:?server_names=a.example")
        connection = await it.connect()
        await connection.client.send(b"hello")
        await connection.backend.receive_exactly(5)
        connection.client.finish()
        connection.backend.finish()
        await it.line()
        streams = [counted(it, f"null:@{number}", MirrorCell.STREAMS) for number in (1, 2, 3, 4)]
        assert streams == [2, 0, 0, 0]
        for number in (1, 2, 3, 4):
            assert it.worker.attachments.detach(number)
        await eventually(lambda: nothing_is_left(it))


def test_a_single_connection_is_named_already() -> None:
    for option in ("clients=10.0.0.0/8", "server_names=a.example"):
        with pytest.raises(ValueError, match="not for a single connection"):
            parse_attach_request({"to": f"null:?{option}", "connection": "0-1"})


def test_a_mirror_that_would_never_get_a_connection_is_refused() -> None:
    address = TcpAddress("127.0.0.1", 0)
    mirrors = (parse_mirror("null:"), parse_mirror("null:?server_names=a.example"))
    settings = single_route((address,), (address,), mirrors=mirrors)
    with pytest.raises(UsageProblem, match=r"mirrors.1.server_names: no connection has a server"):
        look_up(settings)


def test_it_is_a_mistake_at_its_position() -> None:
    text = b"""\
routes:
- name: one
  listen: 8080
  backends: 192.0.2.1:80
  mirrors:
  - to: "null:"
    server_names:
    - a.example
- name: two
  listen: 8081
  backends: 192.0.2.1:80
  mirrors: ["null:?server_names=a.example"]
"""
    settings, mistakes = read_settings(text, {})
    assert settings is None
    places = [(one.position.line, one.position.column) for one in mistakes]
    assert places == [(8, 5), (12, 13)]
    assert all("no connection has a server name here" in one.line("file") for one in mistakes)
