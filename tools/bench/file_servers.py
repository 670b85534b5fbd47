"""The file servers that are compared: the origin by each method, and nginx, on the same files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.bench import children, placement, ports
from tools.bench.origins import Origin
from tools.bench.peers import Peer, Start, Target
from tools.companions.origin.senders import AUTO, ORIGIN_METHODS

ORIGIN = "origin"
NGINX = "nginx"
ROOT = "www"
SIZES = {"1k": 1 << 10, "64k": 64 << 10, "10m": 10 << 20}

# One process without a master, so that started as root it may read the files of root's.
# The two settings that differ from nginx's own defaults are what a static server is told to have.
NGINX_FILES = """\
daemon off;
master_process off;
pid {directory}/nginx-files.pid;
error_log {directory}/nginx-files.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  server {{
    listen {host}:{port} backlog=4096;
    root {root};
  }}
}}
"""


@contextmanager
def files(_where: placement.Placement, directory: Path) -> Iterator[Origin]:
    """Write the files that all serve; they stand for the origin, and there is no other."""
    root = directory / ROOT
    root.mkdir(exist_ok=True)
    for name, size_bytes in SIZES.items():
        (root / name).write_bytes(bytes(size_bytes))
    yield Origin(port=0)


def _nginx_argv(port: int, directory: Path) -> list[str]:
    config = directory / "nginx-files.conf"
    config.write_text(
        NGINX_FILES.format(host=ports.HOST, port=port, directory=directory, root=directory / ROOT)
    )
    return ["nginx", "-c", str(config), "-p", str(directory), "-e", "stderr"]


def _origin_argv(method: str) -> Callable[[int, Path], list[str]]:
    def argv(port: int, directory: Path) -> list[str]:
        start = [sys.executable, "-m", "tools.companions.origin", "--root", str(directory / ROOT)]
        listen = ["--listen", f"{ports.HOST}:{port}"]
        return [*start, *listen, "--method", method, "--access-log", "off"]

    return argv


def _starter(name: str, argv: Callable[[int, Path], list[str]]) -> Start:
    @contextmanager
    def start(_backend_port: int, where: placement.Placement, directory: Path) -> Iterator[Target]:
        port = ports.free_port()
        command = [*placement.taskset(where.proxy_cpus), *argv(port, directory)]
        with children.running(name, command, directory) as child:
            child.wait_listening(port)
            child.wait_quiet()
            yield Target(port, child.pid)

    return start


def _peer(
    name: str,
    argv: Callable[[int, Path], list[str]],
    version_argv: tuple[str, ...],
    missing: str,
    *,
    is_baseline: bool = False,
) -> Peer:
    return Peer(
        name, lambda _relay: [], version_argv, missing, is_baseline, start=_starter(name, argv)
    )


def built_in() -> dict[str, Peer]:
    """Return every server that can be named; ratios are taken to nginx."""
    version = (sys.executable, "-m", "spliceproxy", "--version")
    found = {}
    for method in ORIGIN_METHODS:
        name = ORIGIN if method == AUTO else f"{ORIGIN}-{method}"
        found[name] = _peer(name, _origin_argv(method), version, "pip install h11")
    found[NGINX] = _peer(
        NGINX, _nginx_argv, ("nginx", "-v"), "apt install nginx-light", is_baseline=True
    )
    return found
