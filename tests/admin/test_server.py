"""HTTP of the admin interface: what well-behaved clients get, and what the others do not harm."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from spliceproxy.admin import connection, house
from spliceproxy.admin.connection import MAX_BODY_BYTES, MAX_HEAD_BYTES
from spliceproxy.admin.guard import Guard
from spliceproxy.admin.messages import RefusedError, Request, Response, json_response
from tests.admin.serving import UNIX, ask, exchange, parse, serving


async def echo(request: Request) -> Response:
    """Tell what was asked."""
    if request.path == "/crash":
        raise ZeroDivisionError
    if request.path == "/refuse":
        raise RefusedError(409, "not now")
    told = {"method": request.method, "query": request.query, "body": request.body.decode()}
    return json_response({**told, "asker": request.asker})


async def test_a_request_is_answered(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", echo):
        status, body = await ask(tmp_path / "s", "/x?a=1&b=", "POST", b"{}")
    told = json.loads(body)
    assert (status, told["method"], told["query"]) == (200, "POST", {"a": "1", "b": ""})
    assert told["body"] == "{}"
    assert told["asker"].startswith("uid=")


async def test_head_has_no_body(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", echo):
        assert await ask(tmp_path / "s", "/x", "HEAD") == (200, b"")


async def test_a_connection_is_kept_and_pipelined_requests_are_answered_in_order(
    tmp_path: Path,
) -> None:
    head = "GET /{} HTTP/1.1\r\nHost: localhost\r\n{}\r\n"
    sent = head.format("?n=1", "") + head.format("?n=2", "Connection: close\r\n")
    async with serving(tmp_path / "s", echo):
        received = await exchange(tmp_path / "s", sent.encode())
    assert received.count(b"HTTP/1.1 200") == 2
    assert received.index(b'"n":"1"') < received.index(b'"n":"2"')


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET //[ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * MAX_HEAD_BYTES, 431),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n"
            + b"z" * (MAX_BODY_BYTES + 4464),
            413,
        ),
        (b"GET /refuse HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 409),
    ],
)
async def test_what_is_refused_is_told_why(tmp_path: Path, sent: bytes, status: int) -> None:
    async with serving(tmp_path / "s", echo):
        told, body = parse("GET", await exchange(tmp_path / "s", sent))
    assert told == status
    assert json.loads(body)["error"]


async def test_a_crash_is_logged_and_the_next_request_is_served(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", echo):
        with capture_logs() as log:
            assert (await ask(tmp_path / "s", "/crash"))[0] == 500
        assert (await ask(tmp_path / "s", "/x"))[0] == 200
    assert [line["event"] for line in log] == ["internal_error"]


async def test_the_guard_is_asked_first(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", echo, Guard(token="secret")):
        assert (await ask(tmp_path / "s", "/crash"))[0] == 401
        right = await ask(tmp_path / "s", "/x", Authorization="Bearer secret")
        assert right[0] == 200


@settings(max_examples=60)
@given(garbage=st.lists(st.binary(min_size=1, max_size=200), max_size=5))
async def test_garbage_disturbs_nobody(garbage: list[bytes]) -> None:
    with TemporaryDirectory() as directory, capture_logs() as log:
        path = Path(directory, "s")
        async with serving(path, echo):
            for sent in garbage:
                received = await exchange(path, sent)
                assert received == b"" or received.startswith(b"HTTP/1.1 4")
            assert (await ask(path, "/x"))[0] == 200
    assert log == []


async def test_clients_that_stall_are_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house, "MAX_SEATED", 2)
    monkeypatch.setattr(connection, "REQUEST_TIMEOUT_S", 0.05)
    monkeypatch.setattr(connection, "IDLE_TIMEOUT_S", 0.05)
    async with serving(tmp_path / "s", echo):
        silent = await trio.open_unix_socket(tmp_path / "s")
        slow = await trio.open_unix_socket(tmp_path / "s")
        async with silent, slow:
            await slow.send_all(b"GET / HTTP/1.1\r\nHo")
            with trio.fail_after(10):
                assert (await ask(tmp_path / "s", "/x"))[0] == 200
                assert await silent.receive_some() == b""


async def test_clients_that_stall_at_one_door_hold_up_nobody_at_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house, "MAX_SEATED", 1)
    async with (
        serving(tmp_path / "s", echo, UNIX, tmp_path / "other"),
        await trio.open_unix_socket(tmp_path / "s") as silent,
    ):
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(10):
            for _ in range(3):
                assert (await ask(tmp_path / "other", "/x"))[0] == 200
        await silent.send_all(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await silent.receive_some()).startswith(b"HTTP/1.1 200")


async def test_a_client_that_does_not_read_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SEND_TIMEOUT_S", 0.05)

    async def large(_request: Request) -> Response:
        return Response(200, bytes(8 << 20))

    async with (
        serving(tmp_path / "s", large),
        await trio.open_unix_socket(tmp_path / "s") as client,
    ):
        await client.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await trio.sleep(0.2)
        received = 0
        with trio.fail_after(10):
            try:
                async for data in client:
                    received += len(data)
            except trio.BrokenResourceError:
                pass
        assert received < 8 << 20
