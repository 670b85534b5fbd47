"""Routes whose connections would come back to them."""

import pytest

from spliceproxy.settings.address import parse_backend
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.listen_address import parse_listen
from spliceproxy.settings.loops import find_loops
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.settings.proxy import RouteSettings
from spliceproxy.settings.sni import SniSettings


def route(
    name: str, listen: str, backend: str, *mirrors: str, sni: str | None = None
) -> RouteSettings:
    return RouteSettings(
        name=name,
        listen=(ListenSettings(address=parse_listen(listen)),),
        backends=(BackendSettings(address=parse_backend(backend)),),
        mirrors=tuple(map(parse_mirror, mirrors)),
        sni=() if sni is None else (SniSettings(names=("a.example",), route=sni),),
    )


@pytest.mark.parametrize(
    ("listen", "backend"),
    [
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("80", "127.0.0.1:80"),
        ("80", "[::1]:80"),
        ("80", "localhost:80"),
        ("80", "[::ffff:127.0.0.1]:80"),
        ("0.0.0.0:80", "127.9.9.9:80"),
        ("[::]:80", "[::1]:80"),
        ("localhost:80", "127.0.0.1:80"),
        ("127.0.0.1:80", "localhost:80"),
        ("127.0.0.1:80", "0.0.0.0:80"),
        ("name.example:80", "name.example:80"),
        ("unix:/run/a", "unix:/run/./a"),
    ],
)
def test_a_route_to_itself(listen: str, backend: str) -> None:
    ((number, path, what),) = find_loops([route("a", listen, backend)])
    assert (number, path) == (0, ("backends", 0, "address"))
    assert "leads back to this route" in what


@pytest.mark.parametrize(
    ("listen", "backend"),
    [
        ("80", "127.0.0.1:81"),
        ("0.0.0.0:80", "[::1]:80"),
        ("[::]:80", "127.0.0.1:80"),
        ("80", "192.0.2.1:80"),
        ("127.0.0.2:80", "127.0.0.1:80"),
        ("80", "name.example:80"),
        ("0", "127.0.0.1:80"),
        ("unix:/run/a", "unix:/run/b"),
        ("systemd", "127.0.0.1:80"),
    ],
)
def test_what_is_no_loop_as_far_as_can_be_seen(listen: str, backend: str) -> None:
    assert list(find_loops([route("a", listen, backend)])) == []


def test_routes_may_follow_one_another() -> None:
    routes = [route("a", "80", "127.0.0.1:81"), route("b", "81", "127.0.0.1:82")]
    assert list(find_loops(routes)) == []


def test_a_ring_is_told_of_at_each_of_its_links() -> None:
    routes = [
        route("a", "80", "127.0.0.1:81"),
        route("b", "81", "127.0.0.1:80"),
        route("c", "82", "127.0.0.1:80"),  # leads into the ring, and is none of its links
    ]
    assert [number for number, *_ in find_loops(routes)] == [0, 1]


def test_a_ring_by_server_name() -> None:
    routes = [route("a", "80", "h:1", sni="b"), route("b", "81", "127.0.0.1:80")]
    assert [number for number, *_ in find_loops(routes)] == [1]


def test_a_mirror_that_copies_its_copies() -> None:
    ((_, path, _),) = find_loops([route("a", "80", "h:1", "null:", "tcp://127.0.0.1:80")])
    assert path == ("mirrors", 1)
