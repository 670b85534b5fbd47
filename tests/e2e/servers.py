"""Runs the programs that stand on either side of the proxy."""

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .processes import is_listening, wait_until

START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 10


@contextmanager
def serving(
    argv: Sequence[str],
    port: int,
    log: Path,
    stop_signal: signal.Signals = signal.SIGTERM,
    **options: Any,
) -> Iterator[int]:
    """Run a server until the block ends; yields its port once something listens there."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options
        )
    try:
        wait_until(
            lambda: is_listening(port) or process.poll() is not None, START_TIMEOUT_S, argv[0]
        )
        if process.poll() is not None:
            pytest.fail(f"{argv[0]} ended with {process.returncode}: {log.read_text()}")
        yield port
    finally:
        if process.poll() is None:
            process.send_signal(stop_signal)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run(argv: Sequence[str], timeout_s: float = 45, **options: Any) -> str:
    """Run a program to its end and return its output; any failure fails the test."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=timeout_s, check=False, **options
        )
    except subprocess.TimeoutExpired as error:
        pytest.fail(
            f"{argv[0]} took longer than {timeout_s:g} s: {error.output!r} {error.stderr!r}"
        )
    if done.returncode != 0:
        pytest.fail(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return str(done.stdout)
