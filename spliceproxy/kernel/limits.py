"""How many descriptors this process may have, and how many connections that makes."""

import resource

_SOCKETS = 2  # of a connection
_OTHER_DESCRIPTORS = 64  # logs, epoll sets, listeners, name lookups
_FEWEST_PIPES, _MOST_PIPES = 16, 1024


def pipes_that_fit(descriptors: int) -> int:
    """Most pipes that a worker may have open: an eighth of its descriptors, within bounds.

    A pipe is held while its bytes wait for a slow reader. Beyond this a flow copies.
    """
    return min(max(descriptors // 16, _FEWEST_PIPES), _MOST_PIPES)


def connections_that_fit(descriptors: int, mirrors_need: int = 0) -> int:
    """Most connections within a file limit; at least one, so that a tiny limit still serves.

    ``mirrors_need`` is the number of descriptors that each connection's mirrors have.
    """
    reserved = _OTHER_DESCRIPTORS + 2 * pipes_that_fit(descriptors)
    return max(1, (descriptors - reserved) // (_SOCKETS + mirrors_need))


def descriptors_for(connections: int, mirrors_need: int = 0) -> int:
    """File limit with which at least so many connections fit."""
    descriptors = connections * (_SOCKETS + mirrors_need) + _OTHER_DESCRIPTORS
    return descriptors + 2 * max(_FEWEST_PIPES, min(_MOST_PIPES, descriptors // 14 + 1))


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
