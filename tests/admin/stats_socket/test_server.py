"""The statistics socket on the wire: a line and an answer, or a prompt and many of them."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from spliceproxy.admin.messages import RefusedError
from spliceproxy.admin.peer import Peer
from spliceproxy.admin.roles import Operators, Role
from spliceproxy.admin.stats_socket import conversation, server
from spliceproxy.admin.stats_socket.lines import MAX_LINE_BYTES
from spliceproxy.policy.selection import Selection
from tests.admin.stats_socket.fake_stats import FakeStats, say, stats_socket


async def test_one_line_is_answered_and_then_the_server_hangs_up(tmp_path: Path) -> None:
    async with stats_socket(tmp_path / "s", FakeStats()):
        answer = await say(tmp_path / "s", b"show info\nshow stat\n", end=False)
    assert answer.startswith("Name: spliceproxy\n")
    assert answer.endswith("\n\n")
    assert "pxname" not in answer


async def test_a_line_may_have_several_commands_and_no_end(tmp_path: Path) -> None:
    async with stats_socket(tmp_path / "s", FakeStats()):
        answer = await say(tmp_path / "s", b"show info;show stat;show sess")
    assert [part.split(maxsplit=1)[0] for part in answer.split("\n\n") if part] == [
        "Name:",
        "#",
        "0x1267:",
    ]


async def test_with_a_prompt_the_conversation_goes_on(tmp_path: Path) -> None:
    async with stats_socket(tmp_path / "s", FakeStats()):
        sent = b"prompt\nset timeout cli 60\nbogus\n\nquit\nshow info\n"
        answer = await say(tmp_path / "s", sent, end=False)
    unknown = "Unknown command; 'help' lists those that there are.\n"
    assert answer == f"\n> \n> {unknown}\n> {conversation.HELP}\n> "


async def test_the_prompt_can_be_given_up(tmp_path: Path) -> None:
    async with stats_socket(tmp_path / "s", FakeStats()):
        assert await say(tmp_path / "s", b"prompt\nprompt\nshow info\n", end=False) == "\n> \n"


@pytest.mark.parametrize(
    ("command", "order"),
    [
        ("set server web/10.0.1.11:8443 state ready", ("state", "web", "10.0.1.11:8443", "up")),
        ("set server web/10.0.1.11:8443 state drain", ("state", "web", "10.0.1.11:8443", "drain")),
        ("disable server web/10.0.1.11:8443", ("state", "web", "10.0.1.11:8443", "disabled")),
        ("set server web/10.0.1.11:8443 weight 7", ("weight", "web", "10.0.1.11:8443", 7)),
        ("set weight web/10.0.1.11:8443 150%", ("weight", "web", "10.0.1.11:8443", 3)),
        ("set weight web/10.0.1.11:8443 1%", ("weight", "web", "10.0.1.11:8443", 1)),
        ("set weight web/10.0.1.11:8443 99999%", ("weight", "web", "10.0.1.11:8443", 256)),
        ("shutdown session 0x1267", ("close", Selection(number="0-4711"))),
        (
            "shutdown sessions server web/10.0.1.11:8443",
            ("close", Selection(route="web", backend="10.0.1.11:8443")),
        ),
    ],
)
async def test_orders_are_given_and_logged(
    tmp_path: Path, command: str, order: tuple[object, ...]
) -> None:
    stats = FakeStats()
    async with stats_socket(tmp_path / "s", stats):
        with capture_logs() as log:
            assert await say(tmp_path / "s", f"{command}\n".encode()) == "\n"
    assert stats.orders == [order]
    assert [line["event"] for line in log] == ["admin_order"]
    assert log[0]["asker"].startswith("uid=")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("set server nope/a state ready", "No such backend."),
        ("set server web/nope state ready", "No such server."),
        ("set server postgres/10.0.1.11:8443 weight 2", "No such server."),
        ("shutdown sessions server web/nope", "No such server."),
    ],
)
async def test_what_is_not_there_gets_no_orders(tmp_path: Path, command: str, why: str) -> None:
    stats = FakeStats()
    async with stats_socket(tmp_path / "s", stats):
        assert await say(tmp_path / "s", f"{command}\n".encode()) == f"{why}\n\n"
    assert stats.orders == []


class Viewers(Operators):
    """Of whom nobody gives orders."""

    def role_of(self, peer: Peer) -> Role:
        return Role.VIEWER


async def test_whoever_is_no_operator_looks_and_gives_no_orders(tmp_path: Path) -> None:
    stats = FakeStats()
    async with stats_socket(tmp_path / "s", stats, Viewers()):
        assert "Name: spliceproxy" in await say(tmp_path / "s", b"show info\n")
        with capture_logs() as log:
            told = await say(tmp_path / "s", b"shutdown session 0x1267\n")
    assert told == "Permission denied.\n\n"
    assert stats.orders == []
    assert [line["event"] for line in log] == ["admin_order_refused"]


async def test_a_session_that_is_gone_and_a_refusal_are_told(tmp_path: Path) -> None:
    stats = FakeStats()
    stats.refusal = RefusedError(409, "not now")
    async with stats_socket(tmp_path / "s", stats):
        told = await say(tmp_path / "s", b"shutdown session 0x1\n")
        assert told == "No such session (use 'show sess').\n\n"
        told = await say(tmp_path / "s", b"set server web/10.0.1.11:8443 state drain\n")
        assert told == "not now\n\n"


@settings(max_examples=60)
@given(garbage=st.lists(st.binary(min_size=1, max_size=200), max_size=4))
async def test_garbage_disturbs_nobody(garbage: list[bytes]) -> None:
    with TemporaryDirectory() as directory, capture_logs() as log:
        path = Path(directory, "s")
        async with stats_socket(path, FakeStats()):
            for sent in garbage:
                await say(path, sent)
            assert "Name: spliceproxy" in await say(path, b"show info\n")
    assert log == []


async def test_a_line_without_end_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with stats_socket(path, FakeStats()):
        with trio.fail_after(10), pytest.raises(trio.BrokenResourceError):
            await say(path, bytes(1000 * MAX_LINE_BYTES), end=False)
        assert "Name: " in await say(path, b"show info\n")


async def test_a_client_that_stalls_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "FIRST_TIMEOUT_S", 0.05)
    async with stats_socket(tmp_path / "s", FakeStats()):
        assert await say(tmp_path / "s", b"show in", end=False) == ""


async def test_a_client_that_does_not_read_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SEND_TIMEOUT_S", 0.05)
    stats = FakeStats()
    async with (
        stats_socket(tmp_path / "s", stats),
        await trio.open_unix_socket(tmp_path / "s") as client,
    ):
        await client.send_all(b"show stat;" * 1000 + b"\n")
        before = -1
        with trio.fail_after(20):
            while stats.steps != before:
                before = stats.steps
                await trio.sleep(0.2)
        assert 0 < stats.steps < 1000


async def test_a_fault_is_logged_and_the_next_client_is_served(tmp_path: Path) -> None:
    class Faulty(FakeStats):
        async def close_connections(self, selection: Selection) -> dict[str, object]:
            raise ZeroDivisionError

    async with stats_socket(tmp_path / "s", Faulty()):
        with capture_logs() as log:
            assert await say(tmp_path / "s", b"shutdown session 0x1\n") == ""
        assert "Name: " in await say(tmp_path / "s", b"show info\n")
    assert [line["event"] for line in log] == ["admin_order", "internal_error"]
