"""Send real traffic through spliceproxy and print what was seen; exit 0 when all was right."""

import sys
import time
from collections.abc import Awaitable, Callable

import trio

from . import children
from .report import Step
from .traffic import Transfer, download, small_downloads, upload

DOWNLOAD_BYTES = 1 << 30
UPLOAD_BYTES = 256 << 20
SMALL_COUNT = 1000
STEP_TIMEOUT_S = 60.0
REPORT_TIMEOUT_S = 5.0

Traffic = Callable[[int], Awaitable[list[Transfer]]]


async def _download(port: int) -> list[Transfer]:
    return [await download(port, DOWNLOAD_BYTES, seed=1)]


async def _upload(port: int) -> list[Transfer]:
    return [await upload(port, UPLOAD_BYTES, seed=2)]


async def _small(port: int) -> list[Transfer]:
    return await small_downloads(port, SMALL_COUNT)


STEPS: dict[str, Traffic] = {
    "download, 1 GiB": _download,
    "upload, 256 MiB": _upload,
    f"{SMALL_COUNT:,} short connections": _small,
}


async def _take(name: str, traffic: Traffic, proxy: children.Proxy) -> Step:
    reported_before = len(proxy.log.connections)
    start_s = time.perf_counter()
    with trio.fail_after(STEP_TIMEOUT_S):
        transfers = await traffic(proxy.port)
    duration_s = time.perf_counter() - start_s
    # The line of a connection comes a moment after its last byte.
    with trio.move_on_after(REPORT_TIMEOUT_S):
        await proxy.log.wait_connections(reported_before + len(transfers))
    return Step(name, duration_s, transfers, proxy.log.connections[reported_before:])


def _describe(proxy: children.Proxy) -> str:
    started = proxy.started
    workers = f"{started['workers']} worker{'s' if started['workers'] > 1 else ''}"
    return (
        f"client -> spliceproxy on {started['listeners'][0]} ({workers}, splice "
        f"{started['splice']}) -> origin on {started['backends'][0]}"
    )


async def _demo() -> list[str]:
    """Run every step and return what was wrong."""
    problems = []
    async with children.origin() as origin_port, children.proxy(origin_port) as proxy:
        print(_describe(proxy), end="\n\n")
        for name, traffic in STEPS.items():
            step = await _take(name, traffic, proxy)
            print(*step.lines(), sep="\n", flush=True)
            problems += [f"{name}: {problem}" for problem in step.problems()]
        status = await proxy.stop()
        print(f"\nspliceproxy was asked to stop and ended with exit status {status}")
        if status != 0:
            problems.append(f"spliceproxy ended with exit status {status}")
    return problems


def main() -> int:
    """Run the demo and return its exit status."""
    problems: list[str] = []
    try:
        problems = trio.run(_demo)
    except* (children.ChildError, OSError, trio.TooSlowError, trio.BrokenResourceError) as group:
        problems = [str(error) or type(error).__name__ for error in group.exceptions]
    for problem in problems:
        print(f"demo: {problem}", file=sys.stderr)
    if not problems:
        print("All arrived, both ways. Your own: tools/run --listen 8080 --backend HOST:PORT")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
