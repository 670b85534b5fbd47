"""The proxies that are compared, and how each is started between a listening port and a backend."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tools.bench import children, placement, ports, proxy_configs
from tools.bench.errors import BenchError

DIRECT = "direct"
SPLICEPROXY = "spliceproxy"
SPLICEPROXY_COMMAND = (sys.executable, "-m", "spliceproxy")
PROBE_TIMEOUT_S = 10.0

Command = Callable[[proxy_configs.Relay], list[str]]


@dataclass(frozen=True)
class Peer:
    """One way to get from the load to the origin."""

    name: str
    command: Command
    version_argv: tuple[str, ...]
    missing: str = ""  # what to tell somebody who does not have it
    is_baseline: bool = False  # ratios are taken to the best of the baselines
    unfit_works: frozenset[str] = frozenset()
    unfit_reason: str = ""
    start: Start | None = None  # where one program with that command is not all of it


def spliceproxy(
    name: str = SPLICEPROXY,
    command: Sequence[str] = SPLICEPROXY_COMMAND,
    options: Sequence[str] = (),
) -> Peer:
    """Return spliceproxy with one worker; `options` make a variant of it."""

    def argv(relay: proxy_configs.Relay) -> list[str]:
        listen, backend = f"{ports.HOST}:{relay.listen_port}", f"{ports.HOST}:{relay.backend_port}"
        arguments = ["--listen", listen, "--backend", backend, "--workers", "1"]
        return [*command, *arguments, "--log-level", "warning", *options]

    return Peer(name, argv, (*command, "--version"), f"`{' '.join(command)}` does not run")


def spliceproxy_pool(command: Sequence[str] = SPLICEPROXY_COMMAND) -> Peer:
    """Return spliceproxy with a routes file, where four backends stand for the one origin."""

    def argv(relay: proxy_configs.Relay) -> list[str]:
        file = relay.directory / "pool.yaml"
        backend = f"{ports.HOST}:{relay.backend_port}"
        file.write_text(
            proxy_configs.SPLICEPROXY_POOL.format(
                host=ports.HOST, listen_port=relay.listen_port, backends=", ".join([backend] * 4)
            )
        )
        return [*command, "--config", str(file)]

    missing = f"`{' '.join(command)}` does not run"
    return Peer("spliceproxy-pool", argv, (*command, "--version"), missing)


def _haproxy(name: str, command: Command, *, is_baseline: bool) -> Peer:
    return Peer(name, command, ("haproxy", "-v"), "apt install haproxy", is_baseline)


def built_in(spliceproxy_command: Sequence[str] = SPLICEPROXY_COMMAND) -> dict[str, Peer]:
    """Return every peer that can be named without defining it."""
    all_peers = [
        spliceproxy(command=spliceproxy_command),
        spliceproxy_pool(spliceproxy_command),
        spliceproxy("spliceproxy-copy", spliceproxy_command, ("--splice", "off")),
        _haproxy("haproxy", proxy_configs.haproxy, is_baseline=True),
        _haproxy("haproxy-auto", proxy_configs.haproxy_auto, is_baseline=True),
        _haproxy("haproxy-1mib", proxy_configs.haproxy_large_pipes, is_baseline=False),
        Peer(
            "nginx",
            proxy_configs.nginx_stream,
            ("nginx", "-v"),
            "apt install nginx libnginx-mod-stream",
            is_baseline=True,
        ),
        Peer(
            "socat",
            proxy_configs.socat,
            ("socat", "-V"),
            "apt install socat",
            unfit_works=frozenset({"rr500", "idle", "growth"}),
            unfit_reason="one process per connection",
        ),
        Peer(
            DIRECT,
            lambda _relay: [],
            (),
            unfit_works=frozenset({"growth"}),
            unfit_reason="no proxy whose cost could be taken",
        ),
    ]
    return {peer.name: peer for peer in all_peers}


def version(peer: Peer) -> str:
    """Return the line in which the program tells its version; BenchError if it is missing."""
    if peer.name == DIRECT:
        return "no proxy"
    try:
        answer = subprocess.run(
            peer.version_argv,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            env=children.environment(),
        )
    except (OSError, subprocess.SubprocessError):
        raise BenchError(f"{peer.name}: not found ({peer.missing})") from None
    lines = answer.stdout.strip().splitlines()
    telling = (line for line in lines if "version" in line or line.startswith(f"{peer.name} "))
    return next(telling, lines[0] if lines else "")


@dataclass(frozen=True)
class Target:
    """Where the load goes, and the processes whose cost is taken (none without a proxy)."""

    port: int
    proxy_pid: int | None
    helper_pids: tuple[int, ...] = ()
    account: dict[str, float] = field(default_factory=dict)  # figures known once it has ended


Start = Callable[[int, placement.Placement, Path], AbstractContextManager[Target]]


@contextmanager
def started(
    peer: Peer, backend_port: int, where: placement.Placement, directory: Path
) -> Iterator[Target]:
    """Run the peer in front of the backend and wait until it is ready and at rest."""
    if peer.name == DIRECT:
        yield Target(backend_port, None)
        return
    if peer.start is not None:
        with peer.start(backend_port, where, directory) as target:
            yield target
        return
    relay = proxy_configs.Relay(ports.free_port(), backend_port, directory)
    argv = [*placement.taskset(where.proxy_cpus), *peer.command(relay)]
    with children.running(peer.name, argv, directory) as child:
        child.wait_listening(relay.listen_port)
        child.wait_quiet()
        yield Target(relay.listen_port, child.pid)
