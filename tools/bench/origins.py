"""The servers behind the proxies."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.bench import children, placement, ports

MAX_CONNECTIONS = 12_000

NGINX_HTTP = """\
daemon off;
worker_processes 1;
pid {directory}/nginx-http.pid;
error_log {directory}/nginx-http.log crit;
events {{ worker_connections {max_connections}; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen {host}:{port} backlog=4096;
    location / {{ return 200 "hello\\n"; }}
  }}
}}
"""


@dataclass(frozen=True)
class Origin:
    """A running server."""

    port: int


Start = Callable[[placement.Placement, Path], AbstractContextManager[Origin]]


@contextmanager
def iperf3(where: placement.Placement, directory: Path) -> Iterator[Origin]:
    port = ports.free_port()
    argv = ["iperf3", "--server", "--bind", ports.HOST, "--port", str(port)]
    with started("iperf3-server", argv, port, where, directory) as origin:
        yield origin


@contextmanager
def redis(where: placement.Placement, directory: Path) -> Iterator[Origin]:
    """Redis without persistence: nothing it does touches the disk."""
    port = ports.free_port()
    options = {
        "--port": str(port),
        "--bind": ports.HOST,
        "--save": "",
        "--appendonly": "no",
        "--maxclients": str(MAX_CONNECTIONS),
        "--tcp-backlog": "4096",
        "--dir": str(directory),
    }
    argv = ["redis-server", *(word for option in options.items() for word in option)]
    with started("redis-server", argv, port, where, directory) as origin:
        yield origin


@contextmanager
def http(where: placement.Placement, directory: Path) -> Iterator[Origin]:
    """Nginx with an answer of a few bytes, for connections that live for one request."""
    port = ports.free_port()
    config = directory / "nginx-http.conf"
    config.write_text(
        NGINX_HTTP.format(
            host=ports.HOST, port=port, directory=directory, max_connections=MAX_CONNECTIONS
        )
    )
    argv = ["nginx", "-c", str(config), "-p", str(directory), "-e", "stderr"]
    with started("nginx-http", argv, port, where, directory) as origin:
        yield origin


@contextmanager
def pong(where: placement.Placement, directory: Path) -> Iterator[Origin]:
    """A server that answers once and then holds the connection: cheap enough for thousands."""
    with _of_loads("pong", where, directory) as origin:
        yield origin


@contextmanager
def flood(where: placement.Placement, directory: Path) -> Iterator[Origin]:
    """A server that sends for as long as it is read, to one connection after the other."""
    with _of_loads("flood", where, directory) as origin:
        yield origin


@contextmanager
def drain(where: placement.Placement, directory: Path) -> Iterator[Origin]:
    """A server that throws away what it gets, and closes when that ends."""
    with _of_loads("drain", where, directory) as origin:
        yield origin


@contextmanager
def _of_loads(name: str, where: placement.Placement, directory: Path) -> Iterator[Origin]:
    port = ports.free_port()
    argv = [sys.executable, "-m", f"tools.bench.loads.{name}", str(port)]
    with started(name, argv, port, where, directory) as origin:
        yield origin


@contextmanager
def started(
    name: str, argv: list[str], port: int, where: placement.Placement, directory: Path
) -> Iterator[Origin]:
    """Run a server on the load's CPUs, and wait until it listens."""
    argv = [*placement.taskset(where.load_cpus), *argv]
    with children.running(name, argv, directory) as child:
        child.wait_listening(port)
        yield Origin(port)
