import pytest

from spliceproxy.admin.guard import Guard, WrongTokenError
from spliceproxy.admin.messages import RefusedError, Request
from spliceproxy.admin.peer import Peer
from spliceproxy.admin.roles import Operators

OPERATORS = Operators(uids=frozenset({1500}), gids=frozenset({50}), own_uid=900)
UNIX = Guard(operators=OPERATORS)
UNIX_TOKEN = Guard("operator", "viewer", OPERATORS)
NO_TOKEN = Guard()
TOKEN = Guard("operator")
TOKENS = Guard("operator", "viewer")
VIEWERS_ONLY = Guard(viewer_token="viewer")

STRANGER = Peer("192.0.2.1:1", "192.0.2.1")
ROOT = Peer("uid=0 pid=1", "uid=0", 0, frozenset({0}))
OWN = Peer("uid=900 pid=1", "uid=900", 900, frozenset({900}))
NAMED = Peer("uid=1500 pid=1", "uid=1500", 1500, frozenset({1500}))
MEMBER = Peer("uid=1600 pid=1", "uid=1600", 1600, frozenset({1600, 50}))
OTHER = Peer("uid=1700 pid=1", "uid=1700", 1700, frozenset({1700, 51}))

AS_OPERATOR = {"authorization": "Bearer operator"}
AS_VIEWER = {"authorization": "Bearer viewer"}


def ask(method: str = "GET", path: str = "/api/status", **headers: str) -> Request:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, path, {"host": "localhost", **given}, b"", "somebody")


def order(**headers: str) -> Request:
    return ask("POST", "/api/reload", **{"content_type": "application/json", **headers})


@pytest.mark.parametrize(
    ("guard", "peer", "request_"),
    [
        (UNIX, OTHER, ask()),
        *((UNIX, peer, order()) for peer in (ROOT, OWN, NAMED, MEMBER)),
        (UNIX_TOKEN, ROOT, order()),
        (UNIX_TOKEN, ROOT, order(authorization="Bearer of-another-proxy")),
        (UNIX_TOKEN, OTHER, ask()),
        (UNIX_TOKEN, OTHER, order(**AS_OPERATOR)),
        (NO_TOKEN, STRANGER, ask()),
        (NO_TOKEN, STRANGER, ask(authorization="Bearer whatever")),
        (NO_TOKEN, STRANGER, ask(host="127.0.0.1:9000")),
        (NO_TOKEN, STRANGER, ask(host="localhost:9000")),
        (NO_TOKEN, STRANGER, ask(host="[::1]:9000")),
        (NO_TOKEN, STRANGER, ask(host="192.0.2.7")),
        (TOKENS, STRANGER, order(**AS_OPERATOR)),
        (TOKENS, STRANGER, order(host="localhost:1", origin="http://localhost:1", **AS_OPERATOR)),
        (TOKENS, STRANGER, order(sec_fetch_site="same-origin", **AS_OPERATOR)),
        (TOKENS, STRANGER, ask(sec_fetch_site="none", **AS_OPERATOR)),
        (TOKENS, STRANGER, ask(**AS_VIEWER)),
        (TOKENS, STRANGER, ask("HEAD", **AS_VIEWER)),
        (VIEWERS_ONLY, STRANGER, ask(**AS_VIEWER)),
        (TOKEN, STRANGER, ask(host="proxy.example", authorization="Bearer operator")),
        (TOKEN, STRANGER, ask(host="proxy.example", authorization="bearer  operator")),
        *(
            (guard, STRANGER, ask(path=path, host="10.0.0.1"))
            for guard in (NO_TOKEN, TOKENS, VIEWERS_ONLY)
            for path in ("/livez", "/readyz", "/")
        ),
        (TOKEN, STRANGER, ask(path="/livez", authorization="Bearer wrong")),
    ],
)
def test_who_may_passes(guard: Guard, peer: Peer, request_: Request) -> None:
    guard.check(request_, peer)


DOORS = ((UNIX, ROOT), (UNIX_TOKEN, ROOT), (NO_TOKEN, STRANGER), (TOKENS, STRANGER))


@pytest.mark.parametrize(("guard", "peer"), DOORS)
@pytest.mark.parametrize("path", ["/api/status", "/metrics", "/", "/livez"])
@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:9000", "", "localhost.evil.example", "127.0.0.1.nip.io"),
        *("[::1]evil.example", "127.0.0.1@evil.example", "localhost:9000:evil", "0x7f000001"),
    ],
)
def test_a_foreign_name_is_refused_at_every_door(
    guard: Guard, peer: Peer, path: str, host: str
) -> None:
    for request in (ask(path=path, host=host), order(host=host)):
        with pytest.raises(RefusedError, match="names another site") as refused:
            guard.check(request, peer)
        assert refused.value.status == 403


@pytest.mark.parametrize(("guard", "peer"), DOORS)
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_what_another_site_makes_a_browser_ask_is_refused_at_every_door(
    guard: Guard, peer: Peer, site: str, method: str
) -> None:
    with pytest.raises(RefusedError, match="another site") as refused:
        guard.check(ask(method, sec_fetch_site=site, content_type="application/json"), peer)
    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("guard", "peer", "request_", "status", "why"),
    [
        (UNIX, ROOT, order(origin="http://evil.example"), 403, "another site"),
        (UNIX, ROOT, order(origin="null"), 403, "another site"),
        (UNIX, ROOT, order(host="localhost:1", origin="http://localhost:2"), 403, "another site"),
        (UNIX, ROOT, order(content_type="text/plain"), 415, "application/json"),
        (UNIX, ROOT, order(content_type=""), 415, "application/json"),
        (UNIX, ROOT, ask("PUT"), 405, "GET or POST"),
        (UNIX, ROOT, ask("DELETE"), 405, "GET or POST"),
        (
            UNIX,
            OTHER,
            order(),
            403,
            "uid 1700 may look, but give no orders: name it in `operators`",
        ),
        (UNIX_TOKEN, OTHER, order(), 403, "or bring along the operator's token"),
        (UNIX_TOKEN, OTHER, order(**AS_VIEWER), 403, "uid 1700 may look"),
        (NO_TOKEN, STRANGER, order(), 403, "nobody may give orders by this address: set `token`"),
        (NO_TOKEN, STRANGER, order(authorization="Bearer operator"), 403, "set `token`"),
        (VIEWERS_ONLY, STRANGER, order(**AS_VIEWER), 403, "set `token`"),
        (TOKENS, STRANGER, order(**AS_VIEWER), 403, "the viewer's token gives no orders"),
        (TOKENS, STRANGER, ask(), 401, "the token is missing"),
        (TOKENS, STRANGER, order(), 401, "the token is missing"),
        (VIEWERS_ONLY, STRANGER, ask(), 401, "the token is missing"),
        (TOKEN, STRANGER, ask(path="/metrics", host="10.0.0.1"), 401, "the token is missing"),
        (TOKEN, STRANGER, ask("POST", "/livez", content_type="application/json"), 401, "missing"),
    ],
)
def test_who_may_not_is_told_why(
    guard: Guard, peer: Peer, request_: Request, status: int, why: str
) -> None:
    with pytest.raises(RefusedError, match=why) as refused:
        guard.check(request_, peer)
    assert refused.value.status == status


@pytest.mark.parametrize(
    "given", ["Bearer wrong", "Basic operator", "Bearer ä", "Bearer", "Bearer operator viewer"]
)
@pytest.mark.parametrize(
    ("guard", "peer"), [(TOKEN, STRANGER), (VIEWERS_ONLY, STRANGER), (UNIX_TOKEN, OTHER)]
)
def test_a_wrong_token_is_known_as_such(guard: Guard, peer: Peer, given: str) -> None:
    for request in (ask(authorization=given), order(authorization=given)):
        with pytest.raises(WrongTokenError) as refused:
            guard.check(request, peer)
        assert refused.value.status == 401
