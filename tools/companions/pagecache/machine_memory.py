"""How much of the machine's memory is page cache (/proc/meminfo, proc_meminfo(5))."""

from collections.abc import Mapping
from pathlib import Path

from tools.bench.machine import parse_meminfo

_MEANINGS = {
    "Cached": "pages of files, those in memory only (Shmem) included",
    "Shmem": "tmpfs, memfd and shared memory: no disk is behind them",
    "Buffers": "blocks of disks: metadata of file systems, raw devices",
    "Mapped": "pages of files that a process has mapped",
    "Dirty": "written to, and not yet on their way to the disk",
    "Writeback": "on their way to the disk",
}


def read() -> dict[str, int]:
    """Return the entries, in bytes."""
    return parse_meminfo(Path("/proc/meminfo").read_text())


def rows(entries: Mapping[str, int]) -> list[list[str]]:
    """Return the cells of a table, in MiB; an entry that the kernel has not is left out."""
    return [
        [name, f"{entries[name] / (1 << 20):,.1f}", meaning]
        for name, meaning in _MEANINGS.items()
        if name in entries
    ]
