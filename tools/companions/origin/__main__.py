"""Entry point: `python -m tools.companions.origin --root DIR`."""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from spliceproxy.cli.readers import reads
from spliceproxy.errors import Problem, StartProblem
from spliceproxy.kernel.addresses import name_listener
from spliceproxy.kernel.limits import raise_file_limit
from spliceproxy.kernel.listening import find_tcp, listen_everywhere, listen_tcp
from spliceproxy.settings.address import TcpAddress
from tools.companions.origin.counts import Counts
from tools.companions.origin.descriptors import Shares, share_out
from tools.companions.origin.file_cache import FileCache
from tools.companions.origin.limits import Limits
from tools.companions.origin.preload import preload
from tools.companions.origin.program import Program, Sending
from tools.companions.origin.root import Root
from tools.companions.origin.senders import AUTO, CACHED, ORIGIN_METHODS, technique
from tools.companions.shared import options
from tools.companions.techniques.advice import Advice

_BACKLOG = 4096
MOST_THREADS = 64
_STANDARD_OUTPUT = 1


@click.command(context_settings={"max_content_width": 100})
@click.option(
    "--root",
    "root_path",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The directory whose files are served.",
)
@click.option(
    "--listen",
    "address",
    default="127.0.0.1:0",
    show_default=True,
    callback=reads(options.parse_listen_tcp),
    metavar="[HOST:]PORT",
    help="Port 0: a free one, which the first line of the output tells.",
)
@click.option(
    "--method",
    type=click.Choice(ORIGIN_METHODS),
    default=AUTO,
    show_default=True,
    help="How files go out. auto: sendfile, but small bodies are copied.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Processes on the same port. Limits, cache and statistics are each one's own.",
)
@click.option("--listing", is_flag=True, help="Show directories that have no index.html.")
@click.option("--follow", is_flag=True, help="Follow symbolic links, also out of the root.")
@click.option("--access-log", default="-", show_default=True, help="A file, - or off.")
@options.positive_size(
    "--small-file", "small_bytes", "With auto: bodies up to this are copied.", "64KiB"
)
@options.size(
    "--answer-cache", "answer_cache_bytes", "With auto: whole answers of small files.", "16MiB"
)
@options.duration("--recheck", "recheck_s", "A cached answer is good unchecked so long.", "100ms")
@options.buffer_size("--buffer", "buffer_bytes", "What is copied, or piped, at a time.", "64KiB")
@options.positive_size(
    "--chunk", "chunk_bytes", "What one connection may send in one turn.", "2MiB"
)
@click.option(
    "--threads",
    type=click.IntRange(0, MOST_THREADS),
    default=4,
    show_default=True,
    help="For files that are not in memory: so many reads at once; 0 waits for the disk.",
)
@options.positive_size(
    "--directio", "direct_from_bytes", "Files from this size on are read past the page cache."
)
@options.advice
@options.positive_size(
    "--cache-size", "cache_bytes", "What the cache of --method mmap keeps mapped.", "256MiB"
)
@click.option(
    "--cache-files",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="How many files it keeps mapped; each holds a descriptor.",
)
@click.option(
    "--preload",
    "preload_path",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="With mmap: map the files of this directory of the root at start; a dot means all.",
)
@click.option(
    "--statistics-path",
    default="/-/statistics",
    show_default=True,
    help="Where the mmap cache tells its counts, in JSON; empty for nowhere.",
)
@click.option(
    "--metrics-path",
    default="/-/metrics",
    show_default=True,
    help="Where all workers' counts are, for Prometheus; empty for nowhere.",
)
@click.option("--max-connections", type=click.IntRange(1), default=1000, show_default=True)
@options.positive_size(
    "--max-header", "max_header_bytes", "A longer request header gets 431.", "16KiB"
)
@options.positive_size(
    "--max-body", "max_body_bytes", "Bodies are dropped; a longer one gets 413.", "64KiB"
)
@options.duration(
    "--idle-timeout", "idle_timeout_s", "For a next request, or to take any of an answer.", "60s"
)
@options.duration(
    "--request-timeout", "request_timeout_s", "From a request's first byte to its last.", "10s"
)
def main(*, workers: int, **asked: Any) -> None:
    """Serve files over HTTP/1.1, by the technique one asks for.

    TERM and INT stop at once, and USR1 has the counts told. Exit status: 0 stopped, 2 usage,
    3 could not start, 70 internal.
    """
    if asked["preload_path"] is not None and asked["method"] != CACHED:
        raise click.UsageError("--preload fills the cache of --method mmap, which is not in use")
    with contextlib.ExitStack() as on_exit:
        try:
            program = _prepare(workers, on_exit, **asked)
        except Problem as problem:
            click.echo(f"origin: {problem}", err=True)
            sys.exit(problem.status)
        # It would end the process until the worker listens for it.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        print(f"http://{name_listener(program.listeners[0])}/", flush=True)
        sys.exit(program.run(workers))


def _prepare(
    workers: int,
    on_exit: contextlib.ExitStack,
    *,
    root_path: Path,
    address: TcpAddress,
    method: str,
    listing: bool,
    follow: bool,
    access_log: str,
    small_bytes: int,
    answer_cache_bytes: int,
    recheck_s: float,
    buffer_bytes: int,
    chunk_bytes: int,
    threads: int,
    direct_from_bytes: int | None,
    advice: frozenset[Advice],
    cache_bytes: int,
    cache_files: int,
    preload_path: Path | None,
    statistics_path: str,
    metrics_path: str,
    max_connections: int,
    **limits: float,
) -> Program:
    """Open what all workers share.

    Raises:
        StartProblem: it cannot be had.
    """
    shares = _share_descriptors(method, max_connections, cache_files)
    root = Root(root_path, follows_links=follow)
    on_exit.callback(root.close)
    cache = FileCache(cache_bytes, shares.maps)
    on_exit.callback(cache.close)
    if preload_path is not None:
        preload(cache, root, root_path, preload_path)
    return Program(
        listeners=on_exit.enter_context(_listening(address)),
        root=root,
        cache=cache,
        technique=technique(
            method,
            cache=cache,
            buffer_bytes=buffer_bytes,
            chunk_bytes=chunk_bytes,
            small_bytes=small_bytes,
            advice=advice,
        ),
        sending=Sending(
            answer_cache_bytes=answer_cache_bytes if method == AUTO else 0,
            largest_cached_bytes=small_bytes,
            recheck_s=recheck_s,
            threads=threads,
            direct_from_bytes=direct_from_bytes,
        ),
        limits=Limits(chunk_bytes=chunk_bytes, max_connections=shares.connections, **limits),  # type: ignore[arg-type]  # click made the right types
        counts=Counts(workers),
        lists_directories=listing,
        statistics_path=statistics_path,
        metrics_path=metrics_path,
        log_fd=on_exit.enter_context(_opened_log(access_log)),
    )


def _share_descriptors(method: str, connections: int, maps: int) -> Shares:
    """Lift the file limit to its hard one, and say so where that is not enough."""
    limit = raise_file_limit(0)
    shares = share_out(limit, method, connections=connections, maps=maps)
    if shares.connections < connections:
        click.echo(
            f"origin: a file limit of {limit} is enough for {shares.connections} connections at a "
            f"time, not {connections}; the others wait: raise it (ulimit -n)",
            err=True,
        )
    return shares


@contextlib.contextmanager
def _listening(address: TcpAddress) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as on_exit:
        try:
            listeners = [on_exit.enter_context(opened) for opened in _listen(address)]
        except OSError as error:
            raise StartProblem(
                f"cannot listen on {address}: {error.strerror}", "choose another address"
            ) from error
        yield listeners


def _listen(address: TcpAddress) -> Iterator[socket.socket]:
    if address.host is None:
        yield listen_everywhere(address.port, _BACKLOG, tcp_user_timeout_s=0)
        return
    for family, name in find_tcp(address.host, address.port):
        yield listen_tcp(family, name, _BACKLOG, tcp_user_timeout_s=0)


@contextlib.contextmanager
def _opened_log(where: str) -> Iterator[int | None]:
    if where in ("-", "off"):
        yield _STANDARD_OUTPUT if where == "-" else None
        return
    try:
        fd = os.open(where, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StartProblem(
            f"the access log {where} cannot be opened: {error.strerror}", "name another file"
        ) from error
    try:
        yield fd
    finally:
        os.close(fd)


if __name__ == "__main__":
    main()
