"""Entry point: `python -m tools.companions.origin --root DIR`."""

import contextlib
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from spliceproxy.cli.readers import Callback, Command, reads
from spliceproxy.errors import Problem, StartProblem
from spliceproxy.kernel.addresses import name_listener
from spliceproxy.kernel.listening import find_tcp, listen_everywhere, listen_tcp
from spliceproxy.settings.address import TcpAddress, UnixAddress, parse_bound
from spliceproxy.settings.units import parse_duration, parse_positive_size
from tools.companions.origin.file_cache import FileCache
from tools.companions.origin.limits import Limits
from tools.companions.origin.master import run_workers
from tools.companions.origin.preload import preload
from tools.companions.origin.program import Program
from tools.companions.origin.root import Root
from tools.companions.origin.senders import AUTO, CACHED, ORIGIN_METHODS, technique

_BACKLOG = 4096
_LISTEN_FORMS = "[HOST:]PORT or [IPV6]:PORT"
_STANDARD_OUTPUT = 1


def _size(flag: str, name: str, default: str, explanation: str) -> Callable[[Command], Command]:
    callback = reads(parse_positive_size)
    return _option(flag, name, default, callback, "SIZE", explanation)


def _time(flag: str, name: str, default: str, explanation: str) -> Callable[[Command], Command]:
    return _option(flag, name, default, reads(parse_duration), "TIME", explanation)


def _option(
    flag: str, name: str, default: str, callback: Callback, metavar: str, explanation: str
) -> Callable[[Command], Command]:
    return click.option(
        flag,
        name,
        default=default,
        show_default=True,
        callback=callback,
        metavar=metavar,
        help=explanation,
    )


def _tcp_address(text: str) -> TcpAddress:
    address = parse_bound(text, _LISTEN_FORMS)
    if isinstance(address, UnixAddress):
        raise ValueError(f"{text!r} is no TCP address: expected {_LISTEN_FORMS}")
    return address


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
    callback=reads(_tcp_address),
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
@_size("--buffer", "buffer_bytes", "64KiB", "What is copied, or lies in a pipe, at a time.")
@_size("--chunk", "chunk_bytes", "2MiB", "What one connection may send in one turn.")
@_size("--cache-size", "cache_bytes", "256MiB", "What the cache of --method mmap keeps mapped.")
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
@click.option("--max-connections", type=click.IntRange(1), default=1000, show_default=True)
@_size("--max-header", "max_header_bytes", "16KiB", "A longer request header gets 431.")
@_size("--max-body", "max_body_bytes", "64KiB", "Bodies are dropped; a longer one gets 413.")
@_time(
    "--idle-timeout", "idle_timeout_s", "60s", "For a next request, or to take any of an answer."
)
@_time("--request-timeout", "request_timeout_s", "10s", "From a request's first byte to its last.")
def main(
    *,
    root_path: Path,
    address: TcpAddress,
    method: str,
    workers: int,
    listing: bool,
    follow: bool,
    access_log: str,
    buffer_bytes: int,
    chunk_bytes: int,
    cache_bytes: int,
    preload_path: Path | None,
    statistics_path: str,
    **limits: float,
) -> None:
    """Serve files over HTTP/1.1, by the technique one asks for.

    TERM and INT stop at once. Exit status: 0 stopped, 2 usage, 3 could not start, 70 internal.
    """
    if preload_path is not None and method != CACHED:
        raise click.UsageError("--preload fills the cache of --method mmap, which is not in use")
    with contextlib.ExitStack() as on_exit:
        try:
            root = Root(root_path, follows_links=follow)
            on_exit.callback(root.close)
            cache = FileCache(cache_bytes)
            on_exit.callback(cache.close)
            if preload_path is not None:
                preload(cache, root, root_path, preload_path)
            program = Program(
                listeners=on_exit.enter_context(_listening(address)),
                root=root,
                cache=cache,
                technique=technique(
                    method, cache=cache, buffer_bytes=buffer_bytes, chunk_bytes=chunk_bytes
                ),
                limits=Limits(chunk_bytes=chunk_bytes, **limits),  # type: ignore[arg-type]  # click made the right types
                lists_directories=listing,
                statistics_path=statistics_path,
                log_fd=on_exit.enter_context(_opened_log(access_log)),
            )
        except Problem as problem:
            click.echo(f"origin: {problem}", err=True)
            sys.exit(problem.status)
        print(f"http://{name_listener(program.listeners[0])}/", flush=True)
        sys.exit(program.run_worker() if workers == 1 else run_workers(workers, program.run_worker))


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
