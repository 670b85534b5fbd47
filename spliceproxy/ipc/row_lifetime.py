"""How long rows of the shared table live.

A process holds a row as long as it has the cells of one that it has claimed. Again and again it
says so (`SharedTable.touch`), in the row's time of use and then in its own: what it holds has
never been used last before that. One that is killed just says it no more, and its successor or the
master takes its own time away. So a row that was used last before the times of all holders is held
by none of them, and nobody can write into it. When that is so for a day of every row of a subject,
they are given back, and other names may get them. Nobody counts who holds what, and nobody has to
give anything back.
"""

from collections import defaultdict
from collections.abc import Mapping

from spliceproxy.ipc.rows import PERMANENT, subject_of
from spliceproxy.ipc.table_memory import TableMemory

TOUCH_INTERVAL_S = 10.0
"""How often a process says which rows it holds."""
KEPT_S = 24 * 3600.0 + TOUCH_INTERVAL_S
"""So long rows are kept that nobody holds: whoever reads metrics has seen the last of them by then,
and a backend that comes back the next morning has its health and its orders."""


def find_unused(memory: TableMemory, names: Mapping[int, str]) -> list[tuple[int, list[int]]]:
    """Return the rows of each subject that nobody holds, with its last use; the oldest first.

    Without any holder all of them are somebody's: of a process that does not say what it holds.
    """
    held_since_us = min(filter(None, memory.held_us.tolist()), default=0)
    used_us = memory.used_us.tolist()
    if all(used_us[number] >= held_since_us for number in names):
        return []
    subjects: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, name in names.items():
        subjects[subject_of(name)].append(number)
    subjects.pop(PERMANENT, None)
    ages = ((max(used_us[n] for n in numbers), numbers) for numbers in subjects.values())
    return sorted(one for one in ages if one[0] < held_since_us)
