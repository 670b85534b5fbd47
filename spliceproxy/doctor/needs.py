"""What a routes file needs of the kernel; without one, what relaying needs."""

from enum import StrEnum
from pathlib import Path

from spliceproxy.kernel.pipes import FULL_SIZE_PIPES
from spliceproxy.settings.bounds import usable_cpus
from spliceproxy.settings.options import Settings
from spliceproxy.sinks.mirrors import TAP_PIPES


class Need(StrEnum):
    """Who uses the calls that move bytes."""

    TRAFFIC = "connections"
    MIRRORS = "mirrors"
    FILE_MIRRORS = "file mirrors"
    NULL_MIRRORS = "null mirrors"


def find_needs(settings: Settings | None) -> frozenset[Need]:
    """Return who of them is there: nobody where bytes are copied through the process."""
    if settings is None:
        return frozenset({Need.TRAFFIC})
    if not settings.splice:
        return frozenset()
    kinds = {mirror.kind for route in settings.routes for mirror in route.mirrors}
    found = {Need.TRAFFIC}
    if kinds:
        found.add(Need.MIRRORS)
    if "file" in kinds:
        found.add(Need.FILE_MIRRORS)
    if "null" in kinds:
        found.add(Need.NULL_MIRRORS)
    return frozenset(found)


def mirror_directories(settings: Settings | None) -> list[Path]:
    """Return where file mirrors write, once each."""
    routes = settings.routes if settings else ()
    targets = (
        mirror.target for route in routes for mirror in route.mirrors if mirror.kind == "file"
    )
    return [Path(target) for target in dict.fromkeys(targets)]


def count_workers(settings: Settings | None) -> int:
    """Return how many workers there would be."""
    return settings.workers if settings else usable_cpus()


def count_full_size_pipes(settings: Settings | None) -> int:
    """Return how many full-size pipes the workers may want at once, all together."""
    has_mirrors = Need.MIRRORS in find_needs(settings)
    return count_workers(settings) * (FULL_SIZE_PIPES + (TAP_PIPES if has_mirrors else 0))
