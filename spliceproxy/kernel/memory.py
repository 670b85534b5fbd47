"""How much memory this process may use."""

import os
from collections.abc import Iterator
from pathlib import Path

from spliceproxy.kernel.control_groups import directories_of


def usable_memory_bytes(root: Path = Path("/")) -> int:
    """Return the machine's memory, or the least that a control group around this process allows.

    Control groups: version 2 (``memory.max``) and version 1 (``memory.limit_in_bytes``). A limit
    that cannot be read is taken for none.
    """
    machine_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine_bytes, *_group_limits(root)])


def _group_limits(root: Path) -> Iterator[int]:
    for directory, version in directories_of("memory", root):
        name = "memory.max" if version == 2 else "memory.limit_in_bytes"
        try:
            text = (directory / name).read_text().strip()
        except OSError:
            continue
        if text.isdecimal():  # else it is "max"
            yield int(text)
