from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.settings.address import TcpAddress, UnixAddress
from spliceproxy.settings.log_destination import (
    NOWHERE,
    SYSTEM_LOG,
    LogDestination,
    parse_access_log_destination,
    parse_log_destination,
)

PLACES = {
    "stdout": LogDestination("stdout"),
    "stderr": LogDestination("stderr"),
    "file:/var/log/a b.log": LogDestination("file", path="/var/log/a b.log"),
    "syslog": LogDestination("syslog", address=SYSTEM_LOG),
    "syslog:unix:/run/log": LogDestination("syslog", address=UnixAddress("/run/log")),
    "syslog:udp://[::1]:514": LogDestination("syslog", address=TcpAddress("::1", 514)),
    "syslog:udp://logs.example.org:514": LogDestination(
        "syslog", address=TcpAddress("logs.example.org", 514)
    ),
}


@pytest.mark.parametrize(("text", "place"), PLACES.items())
def test_places(text: str, place: LogDestination) -> None:
    assert parse_log_destination(text) == parse_access_log_destination(text) == place
    assert str(place) == text


@pytest.mark.parametrize("text", ["none", "false"])
def test_nowhere_is_only_for_lines_of_connections(text: str) -> None:
    assert parse_access_log_destination(text) == NOWHERE
    with pytest.raises(ValueError, match="is no place for log lines"):
        parse_log_destination(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is no place for log lines: expected stdout, stderr, file:PATH, syslog"),
        ("stdot", r"did you mean 'stdout'\?"),
        ("/var/log/x", "is no place for log lines"),
        ("file:log", "'log' is no absolute path: expected file:/PATH"),
        ("file:", "'' is no absolute path"),
        ("file:/a\nb", "holds a character that is not printable"),
        ("file:/" + "a" * 5000, "has more than 4095 bytes"),
        ("syslog:tcp://h:1", "is no syslog daemon: expected unix:PATH or udp://HOST:PORT"),
        ("syslog:udp://h", "has no port"),
        ("syslog:unix:", "path is empty"),
    ],
)
def test_what_is_wrong_is_told(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_log_destination(text)


@given(st.text())
def test_any_text_is_a_place_or_refused(text: str) -> None:
    for prefix in ("", "file:", "file:/", "syslog:", "syslog:unix:/", "syslog:udp://"):
        with suppress(ValueError):
            place = parse_access_log_destination(prefix + text)
            assert parse_access_log_destination(str(place)) == place
