"""The control groups that this process is in: cgroups(7), versions 1 and 2."""

from collections.abc import Iterator
from pathlib import Path


def directories_of(controller: str, root: Path) -> Iterator[tuple[Path, int]]:
    """Yield the directories of this process's groups and of all groups around them.

    Each with the version of control groups that it is of. In a container the path may be one that
    only the host has; then the mount itself is the group.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    mount = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, path = line.split(":", 2)  # cgroups(7)
        group = Path(path.lstrip("/"))
        if not controllers:
            yield from ((mount / each, 2) for each in (group, *group.parents))
        elif controller in controllers.split(","):
            yield from ((mount / controller / each, 1) for each in (group, *group.parents))
