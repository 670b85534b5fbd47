"""rsyslog as the sink of newline-delimited logs that flow to another backend."""

import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .peers import Backend, receive_to_end
from .processes import wait_until
from .servers import serving

pytestmark = pytest.mark.e2e

CONNECTIONS, LINES = 8, 2500

CONFIG = """
global(workDirectory="{directory}")
module(load="imtcp" maxSessions="200")
template(name="raw" type="string" string="%msg:2:$%\\n")
ruleset(name="mirror") {{
    action(type="omfile" file="{output}" template="raw")
}}
input(type="imtcp" port="{port}" address="127.0.0.1" ruleset="mirror")
"""


@pytest.fixture
def rsyslog(program: Callable[[str], str], tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Run an rsyslogd with imtcp; yields its port and the file that it writes."""
    rsyslogd = program("rsyslogd")
    port, output, config = free_port(), tmp_path / "messages", tmp_path / "rsyslog.conf"
    config.write_text(CONFIG.format(directory=tmp_path, output=output, port=port))
    argv = [rsyslogd, "-n", "-f", str(config), "-i", str(tmp_path / "pid")]
    with serving(argv, port, tmp_path / "log"):
        yield port, output


def messages(who: int) -> list[str]:
    return [f"message {number} of {who} {'x' * (number % 97)}" for number in range(LINES)]


def syslog_lines(who: int) -> bytes:
    """In the form of RFC 3164, as a program would send them to a log server."""
    head = "<13>Jan  1 00:00:00 host test:"
    return "".join(f"{head} {message}\n" for message in messages(who)).encode()


@pytest.mark.parametrize("mode", ["on", "off"])
def test_nothing_is_lost_and_nothing_doubled(
    start_proxy: StartProxy, rsyslog: tuple[int, Path], mode: str
) -> None:
    port, output = rsyslog
    with Backend() as backend, ThreadPoolExecutor(2 * CONNECTIONS) as threads:
        proxy = start_proxy(
            *("--backend", backend.address, "--splice", mode),
            *("--mirror", f"tcp://127.0.0.1:{port}?overflow=spill"),
        )

        def send(who: int) -> None:
            with proxy.connect() as client:
                data = syslog_lines(who)
                for start in range(0, len(data), 1461):  # lines are cut anywhere
                    client.sendall(data[start : start + 1461])
                client.shutdown(socket.SHUT_WR)
                assert client.recv(1) == b""

        def take() -> bytes:
            with backend.accept() as server:
                return receive_to_end(server)

        taken = [threads.submit(take) for _ in range(CONNECTIONS)]
        list(threads.map(send, range(CONNECTIONS)))
        delivered = sorted(future.result(20) for future in taken)
        lines = proxy.log.wait("connection", CONNECTIONS, timeout_s=30)
    assert delivered == sorted(syslog_lines(who) for who in range(CONNECTIONS))
    assert {line["mirrors"][0]["state"] for line in lines} == {"complete"}
    expected = Counter(message for who in range(CONNECTIONS) for message in messages(who))
    count = sum(expected.values())
    wait_until(
        lambda: output.exists() and output.read_bytes().count(b"\n") >= count, 20, "all messages"
    )
    logged = output.read_text().splitlines()
    assert Counter(logged) == expected
    for who in range(CONNECTIONS):  # and each stream's in its order
        assert [line for line in logged if f" of {who} " in line] == messages(who)
