"""Companion programs that print the port they listen on."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running_module(module: str) -> Iterator[str]:
    """Run a module of this repository; yields its HOST:PORT."""
    process = subprocess.Popen(
        [sys.executable, "-m", module], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    try:
        yield f"127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
