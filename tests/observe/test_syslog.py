import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.observe.syslog import MAX_MESSAGE_BYTES, LocalFrame, NetworkFrame

# RFC 5424, 6: PRI VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG
NETWORK = re.compile(
    rb"<(?P<priority>\d+)>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (?P<host>[!-~]{1,255}) "
    rb"spliceproxy (?P<pid>\d+) - - (?P<text>.*)",
    re.DOTALL,
)
LOCAL = re.compile(
    rb"<(?P<priority>\d+)>[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d "
    rb"spliceproxy\[(?P<pid>\d+)\]: (?P<text>.*)",
    re.DOTALL,
)
FORMS = [(NetworkFrame("host"), NETWORK), (LocalFrame(), LOCAL)]

forms = pytest.mark.parametrize(("frame", "form"), FORMS, ids=["network", "local"])
Frame = NetworkFrame | LocalFrame


@forms
def test_a_message_is_the_line_behind_its_head(frame: Frame, form: re.Pattern[bytes]) -> None:
    message = form.fullmatch(frame("info", b"a line\n"))
    assert message is not None
    assert message["text"] == b"a line"
    assert int(message["pid"]) == os.getpid()


@pytest.mark.parametrize(
    ("level", "severity"),
    [("debug", 7), ("info", 6), ("warning", 4), ("error", 3), ("critical", 2)],
)
@forms
def test_levels_are_severities_of_a_daemon(
    frame: Frame, form: re.Pattern[bytes], level: str, severity: int
) -> None:
    message = form.fullmatch(frame(level, b"line\n"))
    assert message is not None
    assert divmod(int(message["priority"]), 8) == (3, severity)


@given(st.text())
def test_any_name_of_a_host_makes_a_head(host: str) -> None:
    message = NETWORK.fullmatch(NetworkFrame(host)("info", b"line\n"))
    assert message is not None
    assert message["text"] == b"line"


@forms
@given(kept=st.integers(0, 30_000), letter=st.sampled_from(["x", "\N{EURO SIGN}"]))
def test_no_message_is_longer_than_daemons_take(
    frame: Frame, form: re.Pattern[bytes], kept: int, letter: str
) -> None:
    line = letter.encode() * kept
    message = form.fullmatch(sent := frame("info", line + b"\n"))
    assert message is not None
    assert len(sent) <= MAX_MESSAGE_BYTES
    text = message["text"]
    if text != line:
        start, note = text.decode().rsplit(" [", 1)
        assert line.startswith(start.encode())
        excess = int(note.removesuffix(" bytes too long]"))
        assert len(message.string) - len(text) + len(line) - MAX_MESSAGE_BYTES == excess
