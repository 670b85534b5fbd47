"""How many descriptors this process may have, and what they are kept for."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

INCLUDED_LISTENERS = 16
"""So many are in the reserve; what listens on more keeps one more for each."""

_OTHER_DESCRIPTORS = 64  # logs, epoll sets, 16 listeners, name lookups, 16 health checks at once
_FEWEST_PIPES, _MOST_PIPES = 16, 1024


def pipes_that_fit(descriptors: int) -> int:
    """Most pipes that a worker may have open: an eighth of its descriptors, within bounds.

    A pipe is held while its bytes wait for a slow reader. Beyond this a flow copies.
    """
    return min(max(descriptors // 16, _FEWEST_PIPES), _MOST_PIPES)


def descriptors_left(limit: int) -> int:
    """How many descriptors of a file limit are left for connections and their mirrors."""
    return max(0, limit - _OTHER_DESCRIPTORS - 2 * pipes_that_fit(limit))


def file_limit_for(descriptors: int) -> int:
    """File limit with which at least so many descriptors are left for connections."""
    total = descriptors + _OTHER_DESCRIPTORS
    return total + 2 * max(_FEWEST_PIPES, min(_MOST_PIPES, total // 14 + 1))


def file_limit() -> int:
    """Soft limit on open files."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def raise_file_limit(wanted: int) -> int:
    """Lift the soft limit to the hard one, and both to ``wanted`` where rights allow.

    Returns the soft limit that came of it. Raising the hard limit takes CAP_SYS_RESOURCE, and
    nothing goes beyond fs.nr_open (getrlimit(2)).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for soft, new_hard in ((max(hard, wanted), max(hard, wanted)), (hard, hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, new_hard))
            break
        except (ValueError, OSError):  # EPERM
            continue
    return file_limit()


@contextmanager
def raised_file_limit(wanted: int) -> Iterator[int]:
    """Raise the limit as above inside the block; yields the soft limit that came of it."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        yield raise_file_limit(wanted)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
