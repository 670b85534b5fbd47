from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.admin.stats_socket.commands import (
    Command,
    Help,
    Prompt,
    Quit,
    ServerName,
    SetState,
    SetTimeout,
    SetWeight,
    ShowInfo,
    ShowSessions,
    ShowStat,
    Shutdown,
)
from spliceproxy.admin.stats_socket.parse import CommandError, parse_command
from spliceproxy.admin.stats_socket.session_ids import parse_session, session_id

SERVER = ServerName("web", "10.0.0.1:80")
UNIX = ServerName("web", "unix:/run/a/b.sock")


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("show info", ShowInfo()),
        ("show stat", ShowStat()),
        ("show stat -1 4 -1", ShowStat(-1, 4, -1)),
        ("show stat web 1 0", ShowStat("web", 1, 0)),
        ("show sess", ShowSessions()),
        ("show sess 0x1000000000007", ShowSessions("1-7")),
        ("set server web/10.0.0.1:80 state ready", SetState(SERVER, "ready")),
        ("set server web/unix:/run/a/b.sock state drain", SetState(UNIX, "drain")),
        ("set server web/10.0.0.1:80 weight 256", SetWeight(SERVER, 256, percent=False)),
        ("set server web/10.0.0.1:80 weight 50%", SetWeight(SERVER, 50, percent=True)),
        ("set weight web/10.0.0.1:80 3", SetWeight(SERVER, 3, percent=False)),
        ("enable server web/10.0.0.1:80", SetState(SERVER, "ready")),
        ("disable server web/10.0.0.1:80", SetState(SERVER, "maint")),
        ("shutdown session 0x7", Shutdown(number="0-7")),
        ("shutdown sessions server web/10.0.0.1:80", Shutdown(server=SERVER)),
        ("set timeout cli 60", SetTimeout(60)),
        ("help", Help()),
        ("prompt", Prompt()),
        ("quit", Quit()),
    ],
)
def test_a_command_is_read(line: str, command: Command) -> None:
    assert parse_command(line.split()) == command


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("bogus", "Unknown command"),
        ("show", "Unknown command"),
        ("show info typed", "'typed'"),
        ("show stat 1", "<iid> <type> <sid>"),
        ("show stat x-1 one 1", "'one' is not a number"),
        ("show sess all", "Session pointer expected"),
        ("shutdown session", "Session pointer expected"),
        ("shutdown session 0x" + "f" * 17, "Session pointer expected"),
        ("shutdown session 0x", "Session pointer expected"),
        ("shutdown session 0x1_0", "Session pointer expected"),
        ("set server web/a", "usage: set server"),
        ("set server web/a addr 1.2.3.4", "usage: set server"),
        ("set server web/a state up", "expects 'ready', 'drain' and 'maint'"),
        ("set server web state ready", "Require 'backend/server'"),
        ("set server /a state ready", "Require 'backend/server'"),
        ("enable server web/a web/b", "Require 'backend/server'"),
        ("set server web/a weight 0", "state drain"),
        ("set server web/a weight 257", "1 to 256"),
        ("set server web/a weight -1", "1 to 256"),
        ("set server web/a weight ²", "1 to 256"),
        ("set server web/a weight %", "1 to 256"),
        ("set timeout cli 0", "1 to 3600"),
        ("set timeout cli 1h", "1 to 3600"),
    ],
)
def test_what_is_no_command_is_told_why(line: str, why: str) -> None:
    with pytest.raises(CommandError) as refused:
        parse_command(line.split())
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


WORDS = (
    "show stat info sess set server state weight ready cli timeout shutdown session sessions "
    "web/a 0x1 -1 4 100% help prompt quit enable disable"
)


@given(words=st.lists(st.sampled_from(WORDS.split()) | st.text(max_size=8), max_size=6))
def test_any_words_are_a_command_or_refused(words: list[str]) -> None:
    with suppress(CommandError):
        parse_command(words)


@given(slot=st.integers(0, 2**16 - 1), own=st.integers(0, 2**48 - 1))
def test_a_session_keeps_its_number(slot: int, own: int) -> None:
    assert parse_session(session_id(f"{slot}-{own}")) == f"{slot}-{own}"
