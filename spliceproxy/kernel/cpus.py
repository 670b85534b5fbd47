"""How many CPUs this process may use."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

from spliceproxy.kernel.control_groups import directories_of


def usable_cpus(root: Path = Path("/")) -> int:
    """Return how many CPUs it may run on, or whose time its control groups let it have.

    A share of a CPU counts as a whole one: two workers make more of one and a half than one does.
    Control groups: version 2 (``cpu.max``) and version 1 (``cpu.cfs_quota_us``). A limit that
    cannot be read is taken for none.
    """
    return min([len(os.sched_getaffinity(0)), *map(math.ceil, _quotas(root))])


def _quotas(root: Path) -> Iterator[float]:
    for directory, version in directories_of("cpu", root):
        try:
            if version == 2:
                quota, period = (directory / "cpu.max").read_text().split()
            else:
                quota = (directory / "cpu.cfs_quota_us").read_text().strip()
                period = (directory / "cpu.cfs_period_us").read_text().strip()
        except (OSError, ValueError):
            continue
        # Without a limit the first is "max", or -1.
        if quota.isdecimal() and period.isdecimal() and int(quota) and int(period):
            yield int(quota) / int(period)
