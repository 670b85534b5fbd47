"""`python -m tools.bench handshakes`: how a flood of TLS handshakes delays who relays meanwhile."""

from __future__ import annotations

import multiprocessing
import shlex
import socket
import ssl
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tools.bench import children, peers, ports

MOST_RATIO = 3.0
_TIMEOUT_S = 20.0
_WORD = b"ping"


@click.command()
@click.option("--seconds", type=click.FloatRange(min=0.2), default=5.0, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--floods", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--spliceproxy-command", help="For example 'python -m spliceproxy'.")
def command(*, seconds: float, rounds: int, floods: int, spliceproxy_command: str | None) -> None:
    """Ask and answer by one TLS connection, with and without processes that only shake hands."""
    start = shlex.split(spliceproxy_command or "") or peers.SPLICEPROXY_COMMAND
    ratios = []
    with ExitStack() as on_exit:
        directory = Path(on_exit.enter_context(TemporaryDirectory(prefix="spliceproxy-bench-")))
        backend, port = on_exit.enter_context(_answering()), ports.free_port()
        route = ("--listen", f"{ports.HOST}:{port}", "--backend", f"{ports.HOST}:{backend}")
        argv = [*start, *route, "--self-signed", "--workers", "1"]
        proxy = on_exit.enter_context(children.running("spliceproxy", argv, directory))
        proxy.wait_listening(port)
        for _ in range(rounds):
            quiet = _ask(port, seconds)
            with _flood(port, floods) as done:
                flooded = _ask(port, seconds)
            ratios.append(_p99(flooded) / _p99(quiet))
            click.echo(
                f"p99 {_p99(quiet) * 1e3:.2f} ms alone, {_p99(flooded) * 1e3:.2f} ms beside "
                f"{sum(done) / seconds:.0f} handshakes/s: {ratios[-1]:.2f}x"
            )
    middle = statistics.median(ratios)
    click.echo(f"median {middle:.2f}x, of at most {MOST_RATIO:g}x")
    sys.exit(middle > MOST_RATIO)


def _p99(waits_s: list[float]) -> float:
    return sorted(waits_s)[len(waits_s) * 99 // 100]


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _ask(port: int, seconds: float) -> list[float]:
    """Return how long each answer took."""
    waits_s, ends_s = [], time.monotonic() + seconds
    raw = socket.create_connection((ports.HOST, port), _TIMEOUT_S)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with _context().wrap_socket(raw) as client:
        while time.monotonic() < ends_s:
            began_s = time.perf_counter()
            client.sendall(_WORD)
            client.recv(len(_WORD))
            waits_s.append(time.perf_counter() - began_s)
            time.sleep(0.001)
    return waits_s


@contextmanager
def _flood(port: int, processes: int) -> Iterator[list[int]]:
    """Shake hands as fast as the proxy does, inside the block; then there is how often."""
    done: list[int] = []
    spawn = multiprocessing.get_context("spawn")  # not forked: there are threads here
    counts = [spawn.Value("q", 0) for _ in range(processes)]
    flooding = [
        spawn.Process(target=_shake_hands, args=(port, each), daemon=True) for each in counts
    ]
    for process in flooding:
        process.start()
    try:
        while not all(each.value for each in counts):
            time.sleep(0.01)
        before = sum(each.value for each in counts)
        yield done
        done.append(sum(each.value for each in counts) - before)
    finally:
        for process in flooding:
            process.terminate()
            process.join()


def _shake_hands(port: int, count: Synchronized[int]) -> None:
    context = _context()
    while True:
        with suppress(OSError), socket.create_connection((ports.HOST, port), _TIMEOUT_S) as raw:
            context.wrap_socket(raw).close()
            count.value += 1


@contextmanager
def _answering() -> Iterator[int]:
    """Send back what comes, in threads; yields the port."""
    with closing(socket.create_server((ports.HOST, 0), backlog=1024)) as listener:
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


def _accept(listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=_echo, args=(sock,), daemon=True).start()


def _echo(sock: socket.socket) -> None:
    with suppress(OSError), sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := sock.recv(1 << 16):
            sock.sendall(data)
