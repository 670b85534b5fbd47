"""How much memory this process may use."""

import os
from collections.abc import Iterator
from pathlib import Path


def usable_memory_bytes(root: Path = Path("/")) -> int:
    """Return the machine's memory, or the least that a control group around this process allows.

    Control groups: version 2 (``memory.max``) and version 1 (``memory.limit_in_bytes``). A limit
    that cannot be read is taken for none.
    """
    machine_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine_bytes, *_group_limits(root)])


def _group_limits(root: Path) -> Iterator[int]:
    for path in _limit_files(root):
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text.isdecimal():  # else it is "max"
            yield int(text)


def _limit_files(root: Path) -> Iterator[Path]:
    """Yield the files of this process's groups and of all groups around them.

    In a container the path may be one that only the host has; then the mount itself is the group.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    mount = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, path = line.split(":", 2)  # cgroups(7)
        if not controllers:
            top, name = mount, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = mount / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = Path(path.lstrip("/"))
        yield from (top / each / name for each in (group, *group.parents))
