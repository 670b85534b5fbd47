import pytest

from spliceproxy.admin.guard import Guard
from spliceproxy.admin.messages import RefusedError, Request

JSON = {"content-type": "application/json"}
UNIX = Guard(token=None, host=None)
LOOPBACK = Guard(token=None, host="127.0.0.1")
PUBLIC = Guard(token="secret", host="0.0.0.0")


def ask(method: str = "GET", path: str = "/api/status", **headers: str) -> Request:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, path, given, b"", "somebody")


def order(**headers: str) -> Request:
    return ask("POST", "/api/reload", **{"content_type": "application/json", **headers})


@pytest.mark.parametrize(
    ("guard", "request_"),
    [
        (UNIX, ask()),
        (UNIX, order(host="whatever")),
        (LOOPBACK, ask(host="127.0.0.1:9000")),
        (LOOPBACK, ask(host="localhost:9000")),
        (LOOPBACK, ask(host="[::1]:9000")),
        (LOOPBACK, order(host="localhost")),
        (LOOPBACK, order(host="localhost:1", origin="http://localhost:1")),
        (LOOPBACK, order(host="localhost", sec_fetch_site="same-origin")),
        (PUBLIC, ask(host="proxy.example", authorization="Bearer secret")),
        (PUBLIC, ask(host="proxy.example", authorization="bearer  secret")),
        (PUBLIC, ask(path="/livez", host="10.0.0.1")),
    ],
)
def test_who_may_passes(guard: Guard, request_: Request) -> None:
    guard.check(request_)


@pytest.mark.parametrize(
    ("guard", "request_", "status"),
    [
        (LOOPBACK, ask(host="evil.example"), 403),
        (LOOPBACK, ask(), 403),
        (LOOPBACK, order(host="localhost", origin="http://evil.example"), 403),
        (LOOPBACK, order(host="localhost", origin="null"), 403),
        (LOOPBACK, order(host="localhost:1", origin="http://localhost:2"), 403),
        (UNIX, order(sec_fetch_site="cross-site"), 403),
        (UNIX, order(content_type="text/plain"), 415),
        (UNIX, order(content_type=""), 415),
        (UNIX, ask("PUT"), 405),
        (UNIX, ask("DELETE"), 405),
        (PUBLIC, ask(host="10.0.0.1"), 401),
        (PUBLIC, ask(host="10.0.0.1", authorization="Bearer wrong"), 401),
        (PUBLIC, ask(host="10.0.0.1", authorization="Basic secret"), 401),
        (PUBLIC, ask(host="10.0.0.1", authorization="Bearer ä"), 401),
        (PUBLIC, ask(path="/metrics", host="10.0.0.1"), 401),
    ],
)
def test_who_may_not_is_told_why(guard: Guard, request_: Request, status: int) -> None:
    with pytest.raises(RefusedError) as refused:
        guard.check(request_)
    assert refused.value.status == status
    assert str(refused.value)
