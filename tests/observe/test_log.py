import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import structlog

import spliceproxy
from spliceproxy.observe import log
from spliceproxy.observe.levels import set_level
from spliceproxy.observe.line_buffer import DEFAULT_MAX_BYTES, LineBuffer
from spliceproxy.observe.open_destination import open_descriptor
from spliceproxy.settings.log import LogFormat, LogLevel

PROJECT = Path(spliceproxy.__file__).parent.parent

Pipe = tuple[int, int]


@pytest.fixture(autouse=True)
def no_log_is_left_configured(
    monkeypatch: pytest.MonkeyPatch, no_descriptor_is_left_open: None
) -> Iterator[None]:
    line_logger = log.LineLogger()
    monkeypatch.setattr(log, "_line_logger", line_logger)
    yield
    if line_logger.buffer is not None:
        line_logger.buffer.close()
    structlog.reset_defaults()


def configure(log_format: LogFormat, level: LogLevel, fd: int) -> LineBuffer:
    if log._line_logger.buffer is not None:
        log._line_logger.buffer.close()
    destination = open_descriptor(fd)
    log.configure(log_format, level, destination)
    return destination.lines


def read(reader: int) -> str:
    with suppress(BlockingIOError):
        return os.read(reader, 1 << 16).decode()
    return ""


def test_a_line_of_json_has_its_keys_in_order(pipe: Pipe) -> None:
    reader, writer = pipe
    configure("json", "info", writer)
    structlog.get_logger().bind(worker=1).info("connection", reason="closed", connect_s=None)
    line = read(reader)
    assert line.endswith("}\n")
    record = json.loads(line)
    assert list(record) == ["timestamp", "level", "event", "worker", "reason", "connect_s"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", record.pop("timestamp"))
    assert record == {
        "level": "info",
        "event": "connection",
        "worker": 1,
        "reason": "closed",
        "connect_s": None,
    }


@pytest.mark.parametrize(
    ("level", "logged"),
    [
        ("debug", ["debug", "info", "warning", "error", "critical"]),
        ("info", ["info", "warning", "error", "critical"]),
        ("warning", ["warning", "error", "critical"]),
        ("error", ["error", "critical"]),
    ],
)
def test_levels(pipe: Pipe, level: LogLevel, logged: list[str]) -> None:
    reader, writer = pipe
    configure("json", level, writer)
    for name in ("debug", "info", "warning", "error", "critical"):
        getattr(structlog.get_logger(), name)("event")
    records = [json.loads(line) for line in read(reader).splitlines()]
    assert [record["level"] for record in records] == logged


def test_a_traceback_is_one_line_of_json(pipe: Pipe) -> None:
    reader, writer = pipe
    configure("json", "info", writer)
    try:
        raise LookupError("missing")
    except LookupError:
        structlog.get_logger().exception("failed")
    lines = read(reader).splitlines()
    assert len(lines) == 1
    record = json.loads(lines[0])
    assert record["level"] == "error"
    assert record["exception"].splitlines()[-1] == "LookupError: missing"


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_values_of_any_kind_are_logged(pipe: Pipe, log_format: LogFormat) -> None:
    reader, writer = pipe
    configure(log_format, "info", writer)
    odd = {"path": Path("/p"), "text": "\N{EURO SIGN}\ud800\n", "list": ["a"], "float": 0.5}
    structlog.get_logger().info("odd", **odd)
    assert read(reader).count("\n") == 1


def test_auto_is_json_in_a_pipe(pipe: Pipe) -> None:
    reader, writer = pipe
    configure("auto", "info", writer)
    structlog.get_logger().info("started")
    assert json.loads(read(reader))["event"] == "started"


@pytest.mark.parametrize(("no_color", "colored"), [("", True), ("1", False)])
def test_auto_is_console_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, no_color: str, colored: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    controller, terminal = pty.openpty()
    try:
        configure("auto", "info", terminal)
        structlog.get_logger().info("started", workers=2)
        line = os.read(controller, 1000).decode()
    finally:
        os.close(controller)
        os.close(terminal)
    assert "started" in line
    assert ("\x1b[" in line) == colored
    assert not line.startswith("{")


def test_console_in_a_pipe_has_no_colors(pipe: Pipe) -> None:
    reader, writer = pipe
    configure("console", "info", writer)
    structlog.get_logger().info("started", workers=2)
    assert re.fullmatch(r"\S+Z \[info +\] started +workers=2\n", read(reader))


def test_with_a_flush_task_only_errors_leave_at_once(pipe: Pipe) -> None:
    reader, writer = pipe
    buffer = configure("json", "info", writer)
    buffer.on_line_after_idle = lambda: None
    structlog.get_logger().warning("later")
    assert read(reader) == ""
    structlog.get_logger().error("now")
    events = [json.loads(line)["event"] for line in read(reader).splitlines()]
    assert events == ["later", "now"]


def test_dropped_lines_are_reported_in_the_logs_own_format(pipe: Pipe) -> None:
    reader, writer = pipe
    buffer = configure("json", "info", writer)
    structlog.get_logger().info("long", text="x" * DEFAULT_MAX_BYTES)
    record = json.loads(read(reader))
    record.pop("timestamp")
    expected = {"event": "log_lines_dropped", "level": "warning", "count": 1, "pid": os.getpid()}
    assert record == expected
    assert buffer.dropped_lines == 0


def test_loggers_follow_a_new_configuration(pipe: Pipe) -> None:
    reader, writer = pipe
    logger = structlog.get_logger()
    configure("json", "error", writer)
    logger.info("unseen")
    configure("json", "info", writer)
    logger.info("seen")
    assert json.loads(read(reader))["event"] == "seen"


FORKING = """
import os
import structlog
from spliceproxy.observe import log
from spliceproxy.observe.open_destination import open_descriptor
destination = open_descriptor(1)
log.configure("json", "info", destination)
buffer = destination.lines
logger = structlog.get_logger().bind(bound=True)
buffer.write(b"the parent's\\n")
if child := os.fork():
    os.waitpid(child, 0)
    buffer.close(1)
else:
    logger.info("child")
    buffer.close(1)
    os._exit(0)
"""


def test_a_forked_child_starts_with_an_empty_buffer() -> None:
    outcome = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, cwd=PROJECT)
    assert outcome.stderr == b""
    child, parent = outcome.stdout.splitlines()
    assert json.loads(child)["event"] == "child"
    assert parent == b"the parent's"


def test_loggers_that_were_bound_before_follow_the_level(pipe: Pipe) -> None:
    reader, writer = pipe
    configure("json", "warning", writer)
    bound = structlog.get_logger().bind(worker=1)
    bound.info("unwanted")
    set_level("debug")
    bound.debug("wanted")
    bound.bind(more=2).debug("wanted too")
    set_level("error")
    bound.warning("unwanted")
    structlog.get_logger().warning("unwanted")
    events = [json.loads(line)["event"] for line in read(reader).splitlines()]
    assert events == ["wanted", "wanted too"]
