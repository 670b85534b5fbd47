"""How much memory a process may use, by what the kernel's files say."""

import os
from pathlib import Path

import pytest

from spliceproxy.kernel.memory import usable_memory_bytes

MACHINE_BYTES = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, MACHINE_BYTES),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n"}, MACHINE_BYTES),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": f"{MIB}\n"}, MIB),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": f"{MIB}\n"}, MIB),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{MIB}\n"}, MIB),
        (
            {
                "proc/self/cgroup": "5:cpu:/x\n4:memory:/x/y:z\n0::/\n",
                "sys/fs/cgroup/memory/x/y:z/memory.limit_in_bytes": f"{3 * MIB}\n",
                "sys/fs/cgroup/memory/x/memory.limit_in_bytes": f"{2 * MIB}\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            2 * MIB,
        ),
    ],
)
def test_the_least_that_a_control_group_allows(
    files: dict[str, str], expected: int, tmp_path: Path
) -> None:
    assert usable_memory_bytes(write(tmp_path, files)) == expected


def test_here() -> None:
    assert 0 < usable_memory_bytes() <= MACHINE_BYTES
