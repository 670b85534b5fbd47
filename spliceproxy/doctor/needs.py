"""What a routes file needs of the kernel; without one, what relaying needs."""

from enum import StrEnum
from pathlib import Path

from spliceproxy.kernel.cpus import usable_cpus
from spliceproxy.kernel.pipes import FULL_SIZE_PIPES
from spliceproxy.settings.proxy import Settings
from spliceproxy.sinks.checks import directories_of
from spliceproxy.sinks.kinds import sink_of
from spliceproxy.sinks.mirrors import TAP_PIPES
from spliceproxy.sinks.sink import Medium


class Need(StrEnum):
    """Who uses the calls that move bytes."""

    TRAFFIC = "connections"
    MIRRORS = "mirrors"
    FILE_MIRRORS = "file mirrors"
    NULL_MIRRORS = "null mirrors"


_OF_MEDIA = {Medium.FILE: Need.FILE_MIRRORS, Medium.DEVICE: Need.NULL_MIRRORS}


def find_needs(settings: Settings | None) -> frozenset[Need]:
    """Return who of them is there: nobody where bytes are copied through the process."""
    if settings is None:
        return frozenset({Need.TRAFFIC})
    if not settings.splice:
        return frozenset()
    mirrors = [mirror for route in settings.routes for mirror in route.mirrors]
    media = {sink_of(mirror).medium for mirror in mirrors}
    found = {Need.TRAFFIC, *(_OF_MEDIA[medium] for medium in media if medium in _OF_MEDIA)}
    if mirrors:
        found.add(Need.MIRRORS)
    return frozenset(found)


def find_calls(settings: Settings | None) -> frozenset[str]:
    """Return which of `kernel.refusals.CALLS` can't be done without."""
    routes = settings.routes if settings else ()
    found = {call for route in routes for one in route.mirrors for call in sink_of(one).calls}
    if settings is None or settings.splice:
        found.add("pipe2")
    return frozenset(found)


def mirror_directories(settings: Settings | None) -> list[Path]:
    """Return where file mirrors write, once each."""
    routes = settings.routes if settings else ()
    return directories_of(mirror for route in routes for mirror in route.mirrors)


def count_workers(settings: Settings | None) -> int:
    """Return how many workers there would be."""
    return settings.workers if settings else usable_cpus()


def count_full_size_pipes(settings: Settings | None) -> int:
    """Return how many full-size pipes the workers may want at once, all together."""
    has_mirrors = Need.MIRRORS in find_needs(settings)
    return count_workers(settings) * (FULL_SIZE_PIPES + (TAP_PIPES if has_mirrors else 0))
