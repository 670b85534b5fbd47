"""How many descriptors this process may have, and how many connections that makes."""

import resource

from spliceproxy.kernel.pipes import FULL_SIZE_PIPES

DESCRIPTORS_PER_CONNECTION = 2
RESERVED_DESCRIPTORS = 64 + 2 * FULL_SIZE_PIPES
"""For logs, epoll sets, listeners, name lookups, and the pipes in use. A flow that finds no
descriptor left for a pipe copies instead."""


def descriptors_for(connections: int) -> int:
    """File limit that so many connections need."""
    return connections * DESCRIPTORS_PER_CONNECTION + RESERVED_DESCRIPTORS


def connections_that_fit(descriptors: int) -> int:
    """Most connections within a file limit; at least one, so that a tiny limit still serves."""
    return max(1, (descriptors - RESERVED_DESCRIPTORS) // DESCRIPTORS_PER_CONNECTION)


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
