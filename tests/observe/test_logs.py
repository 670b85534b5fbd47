import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from spliceproxy.errors import StartProblem
from spliceproxy.observe import log, open_destination
from spliceproxy.observe.haproxy_line import OpenConnections
from spliceproxy.observe.logs import Logs
from spliceproxy.settings.log import AccessLogSettings, LogSettings
from spliceproxy.settings.log_destination import LogDestination, parse_access_log_destination
from tests.observe.records import make_record


@pytest.fixture(autouse=True)
def no_log_is_left_configured(
    monkeypatch: pytest.MonkeyPatch, no_descriptor_is_left_open: None
) -> Iterator[None]:
    monkeypatch.setattr(log, "_line_logger", log.LineLogger())
    yield
    structlog.reset_defaults()


@contextmanager
def logging(main: Path, access: str, access_format: str = "auto", **log: Any) -> Iterator[Logs]:
    settings = {"format": access_format, "to": parse_access_log_destination(access)}
    logs = Logs(
        LogSettings(to=LogDestination("file", path=str(main)), **log),
        AccessLogSettings.model_validate(settings),
    )
    logs.use()
    try:
        yield logs
    finally:
        logs.close()


def tell(logs: Logs) -> None:
    logs.access_log.teller(0, 0, lambda record: OpenConnections(0, 0, 0))(make_record())


def events(path: Path) -> list[str]:
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]


def test_connections_are_told_with_the_log(tmp_path: Path) -> None:
    with logging(tmp_path / "log", "log") as logs:
        structlog.get_logger().info("started")
        tell(logs)
    assert events(tmp_path / "log") == ["started", "connection"]


def test_a_destination_of_their_own_knows_no_level(tmp_path: Path) -> None:
    with logging(tmp_path / "log", f"file:{tmp_path}/access", level="error") as logs:
        structlog.get_logger().error("wrong")
        tell(logs)
    assert events(tmp_path / "log") == ["wrong"]
    assert events(tmp_path / "access") == ["connection"]


def test_nowhere(tmp_path: Path) -> None:
    with logging(tmp_path / "log", "false") as logs:
        tell(logs)
    assert events(tmp_path / "log") == []


def test_the_destination_of_the_log_by_its_name_is_opened_once(tmp_path: Path) -> None:
    with logging(tmp_path / "log", f"file:{tmp_path}/log", "haproxy-tcp") as logs:
        structlog.get_logger().info("started")
        tell(logs)
    first, second = (tmp_path / "log").read_text().splitlines()
    assert json.loads(first)["event"] == "started"
    assert second.startswith("192.0.2.7:40112 [")


@pytest.mark.parametrize(
    ("log_format", "access_format", "starts"),
    [
        ("json", "auto", "{"),
        ("console", "auto", "2"),
        ("json", "console", "2"),
        ("console", "json", "{"),
        ("json", "haproxy-tcp", "192.0.2.7:40112 ["),
    ],
)
def test_their_form(tmp_path: Path, log_format: str, access_format: str, starts: str) -> None:
    access = tmp_path / "access"
    with logging(tmp_path / "log", f"file:{access}", access_format, format=log_format) as logs:
        tell(logs)
    assert access.read_text().startswith(starts)
    assert access.read_text().count("\n") == 1


@pytest.mark.parametrize(
    ("access_format", "is_report"),
    [
        ("json", lambda line: json.loads(line)["count"] == 1),
        ("console", lambda line: line.endswith(f"count=1 pid={os.getpid()}")),
        ("haproxy-tcp", "log_lines_dropped count=1".__eq__),
    ],
)
def test_a_gap_is_told_in_their_form(
    tmp_path: Path, access_format: str, is_report: Callable[[str], bool]
) -> None:
    access = tmp_path / "access"
    with logging(tmp_path / "log", f"file:{access}", access_format) as logs:
        lines = logs._open[parse_access_log_destination(f"file:{access}")].lines
        lines.write(b"x" * (9 << 20))
        assert lines.flush()
    assert is_report(access.read_text().rstrip())


def reopen(logs: Logs) -> None:
    with logs.reopened():
        pass


def test_all_files_are_opened_again(tmp_path: Path) -> None:
    paths = [tmp_path / "log", tmp_path / "access"]
    with logging(paths[0], f"file:{paths[1]}") as logs:
        for number in (1, 2):
            tell(logs)
            structlog.get_logger().info(f"round_{number}")
            if number == 1:
                for path in paths:
                    path.rename(f"{path}.1")
                reopen(logs)
    assert events(tmp_path / "log.1") == ["round_1"]
    assert events(tmp_path / "log") == ["round_2"]
    assert events(tmp_path / "access.1") == events(tmp_path / "access") == ["connection"]


def test_a_process_goes_on_in_what_another_one_has_opened_again(tmp_path: Path) -> None:
    paths = [tmp_path / "log", tmp_path / "access"]
    with logging(paths[0], f"file:{paths[1]}") as logs:
        tell(logs)
        structlog.get_logger().info("round_1")
        for number, path in enumerate(paths):
            path.rename(f"{path}.1")
            logs.go_on_in(number, os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT))
        tell(logs)
        structlog.get_logger().info("round_2")
    assert events(tmp_path / "log.1") == ["round_1"]
    assert events(tmp_path / "log") == ["round_2"]
    assert events(tmp_path / "access.1") == events(tmp_path / "access") == ["connection"]


def test_a_file_that_did_not_arrive_is_an_error(tmp_path: Path) -> None:
    with logging(tmp_path / "log", "log") as logs:
        logs.go_on_in(0, None)
        structlog.get_logger().info("on")
    assert events(tmp_path / "log") == ["log_not_reopened", "on"]


def test_a_file_that_cannot_be_opened_again_is_an_error_and_goes_on(tmp_path: Path) -> None:
    access = tmp_path / "access"
    with logging(tmp_path / "log", f"file:{access}") as logs:
        renamed = access.rename(tmp_path / "access.1")
        access.mkdir()
        reopen(logs)
        tell(logs)
    assert events(renamed) == ["connection"]
    error = json.loads((tmp_path / "log").read_text())
    assert (error["event"], error["level"]) == ("log_not_reopened", "error")
    assert (error["file"], error["error"]) == (str(access), "Is a directory")


@pytest.mark.parametrize(
    ("destination", "said"),
    [
        ("file:/nowhere/log", "cannot log to file:/nowhere/log .No such file or directory.*rights"),
        ("syslog:unix:/nowhere", "cannot log to syslog:unix:/nowhere .No such.*daemon runs"),
        ("syslog:udp://no.invalid:1", r"cannot log to syslog:udp://no.invalid:1 \("),
    ],
)
def test_a_destination_that_cannot_be_opened_ends_the_start(
    tmp_path: Path, destination: str, said: str
) -> None:
    with pytest.raises(StartProblem, match=said), logging(tmp_path / "log", destination):
        pass


def test_what_a_reader_did_not_take_is_written_when_it_has_room(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe
    monkeypatch.setitem(open_destination._DESCRIPTORS, "stdout", writer)
    logs = Logs(LogSettings(format="json"), AccessLogSettings())
    logs.use()
    count = 0
    while not logs.unwritten():
        structlog.get_logger().info("line", number=count)
        count += 1
    read = os.read(reader, 1 << 20)
    logs.write()
    assert logs.unwritten() == []
    read += os.read(reader, 1 << 20)
    logs.close()
    assert [json.loads(line)["number"] for line in read.splitlines()] == list(range(count))


def test_places_are_shared_with_the_configuration_before(tmp_path: Path) -> None:
    with logging(tmp_path / "log", f"file:{tmp_path}/access") as before:
        settings = LogSettings(to=LogDestination("file", path=f"{tmp_path}/log"), format="json")
        access = AccessLogSettings(to=LogDestination("file", path=f"{tmp_path}/other"))
        after = Logs(settings, access, before)
        after.use()
        before.close_all_but(after)
        structlog.get_logger().info("on")
        tell(after)
        after.close_all_but(before)
    assert events(tmp_path / "log") == ["on"]
    assert events(tmp_path / "other") == ["connection"]
