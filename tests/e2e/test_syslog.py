"""The log and the lines of connections in a real rsyslog, over its unix socket and over UDP."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .peers import Backend
from .processes import wait_until
from .proxy_command import Launcher
from .servers import serving

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CONFIG = """
global(workDirectory="{directory}")
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
module(load="imtcp")
template(name="fields" type="list") {{
    property(name="programname") constant(value="|")
    property(name="procid") constant(value="|")
    property(name="pri-text") constant(value="|")
    property(name="protocol-version") constant(value="|")
    property(name="msg") constant(value="\\n")
}}
ruleset(name="all") {{ action(type="omfile" file="{output}" template="fields") }}
input(type="imuxsock" Socket="{socket}" ruleset="all")
input(type="imudp" port="{port}" address="127.0.0.1" ruleset="all")
input(type="imtcp" port="{port}" address="127.0.0.1" ruleset="all")
"""


@dataclass(frozen=True)
class Message:
    program: str
    pid: int
    priority: str
    version: str
    text: str


@dataclass(frozen=True)
class Rsyslog:
    unix: str
    udp: str
    output: Path

    def messages(self) -> list[Message]:
        if not self.output.exists():
            return []
        fields = [line.split("|", 4) for line in self.output.read_text().splitlines()]
        return [
            Message(program, int(pid), priority, version, text.lstrip())
            for program, pid, priority, version, text in fields
        ]


@pytest.fixture
def rsyslog(program: Callable[[str], str], tmp_path: Path) -> Iterator[Rsyslog]:
    port, output, unix = free_port(), tmp_path / "messages", tmp_path / "socket"
    config = tmp_path / "rsyslog.conf"
    config.write_text(CONFIG.format(directory=tmp_path, output=output, port=port, socket=unix))
    argv = [program("rsyslogd"), "-n", "-f", str(config), "-i", str(tmp_path / "pid")]
    with serving(argv, port, tmp_path / "log"):  # the TCP port tells that it is there
        yield Rsyslog(f"syslog:unix:{unix}", f"syslog:udp://127.0.0.1:{port}", output)


@pytest.mark.parametrize("way", ["unix", "udp"])
def test_rsyslog_reads_every_line(start_proxy: StartProxy, rsyslog: Rsyslog, way: str) -> None:
    connections = 50
    with Backend() as backend:
        proxy = start_proxy(
            *("--backend", backend.address, "--workers", "1"),
            *("--access-log", getattr(rsyslog, way)),
        )
        clients = []
        for _ in range(connections):
            with proxy.connect() as client:
                clients.append("{}:{}".format(*client.getsockname()))
                backend.accept().close()
                assert client.recv(1) == b""
        wait_until(lambda: len(rsyslog.messages()) >= connections, 10, "all messages")
        [worker] = proxy.workers()
    messages = rsyslog.messages()
    assert {(message.program, message.pid) for message in messages} == {("spliceproxy", worker)}
    assert {message.priority.split("<")[0] for message in messages} == {"daemon.info"}
    assert {message.version for message in messages} == {"1" if way == "udp" else "0"}
    lines = [json.loads(message.text) for message in messages]
    assert [line["client"] for line in lines] == clients
    assert {line["event"] for line in lines} == {"connection"}


def test_the_lines_of_haproxy_in_rsyslog(start_proxy: StartProxy, rsyslog: Rsyslog) -> None:
    with Backend() as backend:
        proxy = start_proxy(
            *("--backend", backend.address, "--access-log", rsyslog.unix),
            *("--access-log-format", "haproxy-tcp"),
        )
        with proxy.connect() as client:
            name = "{}:{}".format(*client.getsockname())
            backend.accept().close()
            assert client.recv(1) == b""
        wait_until(rsyslog.messages, 10, "a message")
        [message] = rsyslog.messages()
    assert message.text.startswith(f"{name} [")
    assert message.text.endswith(" -- 1/1/0/0/0 0/0")


def test_the_whole_log_in_rsyslog(rsyslog: Rsyslog) -> None:
    arguments = ("--listen", "127.0.0.1:0", "--backend", "127.0.0.1:9", "--log-to", rsyslog.unix)
    with Launcher().popen(*arguments, stderr=subprocess.STDOUT) as process:
        try:
            wait_until(lambda: "started" in str(rsyslog.messages()), 20, "the start line")
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, output) == (0, b"")
    wait_until(lambda: "stopped" in str(rsyslog.messages()), 10, "the end of the log")
    events = [json.loads(message.text)["event"] for message in rsyslog.messages()]
    warned = ["runs_as_root"] if os.geteuid() == 0 else []
    assert events == [*warned, "started", "draining", "stopped"]
