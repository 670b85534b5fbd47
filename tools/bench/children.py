"""Programs that the harness starts: each in a process group of its own, each surely ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tools.bench import ports, process_tree
from tools.bench.errors import BenchError

REPOSITORY = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 15.0
END_TIMEOUT_S = 3.0
QUIET_CPU_S = 0.001
QUIET_SPAN_S = 0.05


@dataclass(frozen=True)
class Child:
    """A running program and the file that takes its output."""

    name: str
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def last_words(self) -> str:
        """Return the last line of its output, for an error message."""
        lines = self.output.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no output"

    def wait_until(
        self, condition: Callable[[], bool], what: str, timeout_s: float = START_TIMEOUT_S
    ) -> None:
        """Poll until the condition holds; an early end of the program is an error."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if self.process.poll() is not None:
                status = self.process.returncode
                raise BenchError(f"{self.name} ended (status {status}): {self.last_words()}")
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name}: not {what} after {timeout_s:.0f} s")
            time.sleep(0.01)

    def wait_listening(self, port: int) -> None:
        self.wait_until(lambda: ports.is_listening(port), f"listening on port {port}")

    def wait_quiet(self) -> None:
        """Wait until its start-up work is over, so that it is not counted as cost of the load."""

        def is_quiet() -> bool:
            before = process_tree.cpu_s(self.pid)
            time.sleep(QUIET_SPAN_S)
            return process_tree.cpu_s(self.pid) - before < QUIET_CPU_S

        self.wait_until(is_quiet, "quiet")


def environment() -> dict[str, str]:
    """Let `python -m` find this repository's packages from any working directory."""
    known = os.environ.get("PYTHONPATH")
    path = f"{REPOSITORY}{os.pathsep}{known}" if known else str(REPOSITORY)
    return {**os.environ, "PYTHONPATH": path}


@contextmanager
def running(name: str, argv: Sequence[str], directory: Path) -> Iterator[Child]:
    """Run a program for the length of the block."""
    output = directory / f"{name}.out"
    with output.open("wb") as sink:
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=sink,
                env=environment(),
                start_new_session=True,
            )
        except OSError as error:
            raise BenchError(f"{name}: cannot start {argv[0]}: {error.strerror}") from error
    try:
        yield Child(name, process, output)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the program to stop, then kill what is left of its group."""
    try:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_TIMEOUT_S)
    finally:
        # The leader may be gone and its children not: the group outlives it as long as they do.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def run_to_end(name: str, argv: Sequence[str], directory: Path, timeout_s: float) -> str:
    """Run a program until it ends by itself and return its output."""
    with running(name, argv, directory) as child:
        return collect(child, timeout_s)


def collect(child: Child, timeout_s: float) -> str:
    """Wait for the program's own end and return its output."""
    try:
        status = child.process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{child.name}: no end after {timeout_s:.0f} s") from None
    if status != 0:
        raise BenchError(f"{child.name} failed (status {status}): {child.last_words()}")
    return child.output.read_text(errors="replace")
