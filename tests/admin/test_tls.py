"""The admin interface by TLS: who is agreed with, and what a certificate makes of its owner."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trustme
from structlog.testing import capture_logs

from spliceproxy.admin import connection
from spliceproxy.admin.guard import Guard
from spliceproxy.admin.messages import Request, Response, json_response
from spliceproxy.admin.peer import Peer
from spliceproxy.admin.roles import CertificateRoles
from spliceproxy.admin.server import Door, Handle, Server
from spliceproxy.settings.tls import ClientRules
from tests.admin.serving import parse

OPERATORS = ClientRules(cn=("alice",))
ROLES = CertificateRoles(None, OPERATORS, are_asked=True)


async def who(request: Request) -> Response:
    return json_response(request.asker)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_side(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("proxy.example").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


@asynccontextmanager
async def serving(tls: ssl.SSLContext, guard: Guard, handle: Handle = who) -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as sock, trio.fail_after(20):
        sock.setblocking(False)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Server([Door(sock, guard, tls)], handle).run)
            yield sock.getsockname()[1]
            nursery.cancel_scope.cancel()


def client_side(authority: trustme.CA, name: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if name is not None:
        authority.issue_cert(f"{name}.example", common_name=name).configure_cert(context)
    return context


async def ask(port: int, tls: ssl.SSLContext, method: str = "GET", **headers: str) -> int:
    """The status of an answer that is whole, and whose end TLS has told."""
    given = {"Host": f"proxy.example:{port}", "Connection": "close", **headers}
    if method == "POST":
        given |= {"Content-Type": "application/json", "Content-Length": "2"}
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    secured = trio.SSLStream(stream, tls, server_hostname="proxy.example")
    async with secured:
        body = b"{}" if method == "POST" else b""
        await secured.send_all(f"{method} /api/status HTTP/1.1\r\n{head}\r\n".encode() + body)
        received = b"".join([bytes(data) async for data in secured])
    return parse(method, received)[0]


@pytest.mark.parametrize(
    ("name", "token", "may_look", "may_order"),
    [
        ("alice", None, 200, 200),
        ("bob", None, 200, 403),
        ("bob", "the-token", 200, 200),
        (None, None, 401, 401),
        (None, "the-token", 200, 200),
    ],
)
async def test_what_somebody_may_do(
    authority: trustme.CA,
    server_side: ssl.SSLContext,
    name: str | None,
    token: str | None,
    may_look: int,
    may_order: int,
) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    tls = client_side(authority, name)
    async with serving(server_side, Guard("the-token", certificates=ROLES)) as port:
        assert await ask(port, tls, **headers) == may_look
        assert await ask(port, tls, "POST", **headers) == may_order


async def test_who_is_named_in_the_log(authority: trustme.CA, server_side: ssl.SSLContext) -> None:
    with capture_logs() as log:
        async with serving(server_side, Guard(certificates=ROLES)) as port:
            await ask(port, client_side(authority, "bob"), "POST")
    (line,) = (one for one in log if one["event"] == "admin_order_refused")
    assert line["asker"].endswith(" cn=bob")


async def test_viewers_by_rule(authority: trustme.CA, server_side: ssl.SSLContext) -> None:
    roles = CertificateRoles(ClientRules(dns=("bob.example",)), OPERATORS, are_asked=True)
    async with serving(server_side, Guard(certificates=roles)) as port:
        assert await ask(port, client_side(authority, "bob")) == 200
        assert await ask(port, client_side(authority, "alice")) == 200
        assert await ask(port, client_side(authority, "carol")) == 401


async def test_a_browser_that_another_site_has_sent(
    authority: trustme.CA, server_side: ssl.SSLContext
) -> None:
    """It has a certificate to show, whoever has sent it."""
    async with serving(server_side, Guard(certificates=ROLES)) as port:
        tls = client_side(authority, "alice")
        assert await ask(port, tls, **{"Sec-Fetch-Site": "cross-site"}) == 403


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_whoever_cannot_be_agreed_with_hears_why(
    authority: trustme.CA, server_side: ssl.SSLContext, version: ssl.TLSVersion
) -> None:
    server_side.verify_mode = ssl.CERT_REQUIRED
    tls = client_side(authority)
    tls.maximum_version = version
    with capture_logs() as log:
        async with serving(server_side, Guard(certificates=ROLES)) as port:
            with pytest.raises(trio.BrokenResourceError) as caught:
                await ask(port, tls)
    assert "ALERT" in str(caught.value.__cause__)
    (line,) = (one for one in log if one["event"] == "admin_tls_refused")
    assert line["reason"] == "PEER_DID_NOT_RETURN_A_CERTIFICATE"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spliceproxy.admin.server.REQUEST_TIMEOUT_S", 0.2)
    monkeypatch.setattr(connection, "REQUEST_TIMEOUT_S", 0.2)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n"])
async def test_whoever_does_not_shake_hands_is_let_go(
    server_side: ssl.SSLContext, said: bytes
) -> None:
    async with serving(server_side, Guard(certificates=ROLES)) as port:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        async with stream:
            await stream.send_all(said)
            while await stream.receive_some():
                pass


async def test_several_requests_and_a_large_answer(
    authority: trustme.CA, server_side: ssl.SSLContext
) -> None:
    body = bytes(range(256)) * 4000

    async def answer(request: Request) -> Response:
        return Response(200, body)

    tls = client_side(authority, "alice")
    async with serving(server_side, Guard(certificates=ROLES), answer) as port:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        async with trio.SSLStream(stream, tls, server_hostname="proxy.example") as secured:
            for _ in range(3):
                await secured.send_all(b"GET /api/status HTTP/1.1\r\nHost: x\r\n\r\n")
                received = b""
                while not received.endswith(body):
                    received += await secured.receive_some()


def test_a_certificate_without_a_common_name() -> None:
    peer = Peer("192.0.2.1:1", "192.0.2.1")
    told = {"subject": (), "subjectAltName": (("URI", "spiffe://x/\u202ey"),)}
    assert peer.with_certificate((told, b"")).name == "192.0.2.1:1 uri=spiffe://x/?y"
    assert peer.with_certificate(({}, b"")).name == "192.0.2.1:1 certificate without a name"
