"""Lines about orders: always there, at once, each of them one line that a terminal can show."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from spliceproxy.admin import slowdown
from spliceproxy.admin.guard import Guard
from spliceproxy.admin.messages import RefusedError, Request, Response, json_response
from spliceproxy.admin.orders_log import legible, log_order
from spliceproxy.observe.log import configure
from spliceproxy.observe.open_destination import open_descriptor
from spliceproxy.settings.log import LogLevel
from tests.admin.serving import ask, serving


@pytest.fixture
def written() -> Iterator[Callable[[LogLevel], Callable[[], bytes]]]:
    """A log of a level, written to a pipe by a process that flushes its lines later."""
    reader, writer = os.pipe()
    place = open_descriptor(writer)
    os.set_blocking(reader, False)

    def use(level: LogLevel) -> Callable[[], bytes]:
        configure("json", level, place)
        place.lines.on_line_after_idle = lambda: None
        return lambda: os.read(reader, 1 << 20)

    yield use
    place.lines.close()
    structlog.reset_defaults()
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_a_line_is_written_at_once_whatever_the_level(
    written: Callable[[LogLevel], Callable[[], bytes]], level: LogLevel
) -> None:
    read = written(level)
    log_order("/api/drain", "uid=0 pid=1", "{}")
    [line] = read().splitlines()
    told = json.loads(line)
    assert (told["level"], told["event"], told["path"]) == ("info", "admin_order", "/api/drain")


@given(st.text(max_size=5000) | st.binary(max_size=5000).map(lambda b: b.decode(errors="replace")))
def test_what_strangers_write_is_shown_and_bounded(text: str) -> None:
    shown = legible(text)
    assert shown.isprintable()
    assert len(shown) <= 503


async def refuse(request: Request) -> Response:
    if request.path == "/no":
        raise RefusedError(409, "not\nnow \x1b[2J" + "x" * 10_000)
    return json_response({})


async def test_refused_orders_and_wrong_tokens_are_told_and_others_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slowdown, "FIRST_S", 0.01)
    path, token = tmp_path / "s", {"Authorization": "Bearer operator"}
    async with serving(path, refuse, Guard("operator", "viewer")):
        with capture_logs() as log:
            assert (await ask(path, "/x"))[0] == 401
            assert (await ask(path, "/x", "GET", b"", **token))[0] == 200
            assert (await ask(path, "/no", "GET", b"", **token))[0] == 409
            assert log == []
            body = b'{"a": 1}'
            assert (await ask(path, "/no", "POST", body, **token))[0] == 409
            assert (await ask(path, "/x", "POST", body))[0] == 401
            assert (await ask(path, "/x", "POST", body, Authorization="Bearer viewer"))[0] == 403
            assert (await ask(path, "/x", Authorization="Bearer wrong"))[0] == 401
            assert (await ask(path, "/livez", Authorization="Bearer wrong"))[0] == 200
    events = [(line["event"], line["path"]) for line in log]
    assert events == [
        ("admin_order_refused", "/no"),
        ("admin_order_refused", "/x"),
        ("admin_order_refused", "/x"),
        ("admin_token_refused", "/x"),
    ]
    assert log[0]["reason"].startswith(r"not\nnow \x1b[2J")
    assert len(log[0]["reason"]) < 310
    assert "operator" not in str(log).replace("operator's", "")
    assert "wrong" not in str(log)
