"""What can be known of mirrors before the first connection: whether their sinks can be used.

A peer need not be there yet, since a mirror connects when there is something to copy.
"""

from collections.abc import Iterable
from pathlib import Path

from spliceproxy.errors import UsageProblem, quote
from spliceproxy.kernel.refusals import require
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.settings.proxy import Settings
from spliceproxy.sinks.kinds import sink_of
from spliceproxy.sinks.sink import CompressedDirectory
from spliceproxy.sinks.spool_directory import check_spools


def check_mirrors(mirrors: Iterable[MirrorSettings]) -> None:
    """Create the directories that are missing, and refuse mirrors that could never work.

    Raises:
        UsageProblem: a directory cannot be written into, or is another mirror's already; a
            program cannot be executed; there is no directory for spools.
        StartProblem: the system refuses a call that one needs.
    """
    seen: set[tuple[int, int]] = set()
    mirrors = list(mirrors)
    check_spools(mirrors)
    for mirror in mirrors:
        sink = sink_of(mirror)
        for call in sink.calls:
            require(call, f"which mirror {quote(mirror.text)} needs")
        sink.check(mirror)
        directory = sink.directory(mirror)
        if directory is None:
            continue
        found = directory.stat()
        if (found.st_dev, found.st_ino) in seen:  # they would write the same file names
            raise UsageProblem(
                f"mirror {quote(mirror.text)}: another file mirror has the same directory",
                "expected a directory for each",
            )
        seen.add((found.st_dev, found.st_ino))


def report_left_behind(mirrors: Iterable[MirrorSettings]) -> None:
    """Tell of what a crash has left unfinished; it is kept."""
    for mirror in mirrors:
        sink_of(mirror).report_left_behind(mirror)


def directories_of(mirrors: Iterable[MirrorSettings]) -> list[Path]:
    """Return the directories that mirrors write into, once each."""
    found = (sink_of(mirror).directory(mirror) for mirror in mirrors)
    return list(dict.fromkeys(directory for directory in found if directory is not None))


def directories_to_compress(settings: Settings) -> list[CompressedDirectory]:
    """Return those in which a process of its own compresses what mirrors have finished."""
    mirrors = (mirror for route in settings.routes for mirror in route.mirrors)
    found = (sink_of(mirror).to_compress(mirror) for mirror in mirrors)
    return [directory for directory in found if directory is not None]
