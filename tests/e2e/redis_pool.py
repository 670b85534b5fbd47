"""Several redis-servers, one of which a test may kill."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port

from .processes import is_listening, wait_until


@dataclass
class RedisServer:
    """A redis-server that can be killed, and started again at the same port."""

    argv: list[str]
    port: int
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def start_again(self) -> None:
        self.process = _start(self.argv, self.port)


def _start(argv: list[str], port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: is_listening(port) or process.poll() is not None, 20, argv[0])
        assert process.poll() is None, f"{argv[0]} ended with {process.returncode}"
    except BaseException:
        process.kill()
        process.wait(10)
        raise
    return process


@contextmanager
def redis_servers(
    program: Callable[[str], str], directory: Path, count: int
) -> Iterator[list[RedisServer]]:
    servers: list[RedisServer] = []
    try:
        for _ in range(count):
            port = free_port()
            argv = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
            argv += ["--save", "", "--appendonly", "no", "--dir", str(directory)]
            servers.append(RedisServer(argv, port, _start(argv, port)))
        yield servers
    finally:
        for server in servers:
            server.kill()
