"""Which files workers and the admin process need: by Landlock, all others are out of reach."""

import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import spliceproxy
from spliceproxy.kernel.landlock import CHANGE, READ, FileAccess
from spliceproxy.settings.address import UnixAddress
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.settings.mirror_kinds.table import KINDS
from spliceproxy.settings.proxy import Settings
from spliceproxy.sinks.checks import directories_of

# The C library and what it loads by name, such as the modules of nsswitch.conf(5).
_SYSTEM = ("/usr", "/lib", "/lib64")
# Of these hosts, resolv.conf and certificates are wanted; who may read what is up to their owners.
_CONFIGURATION = "/etc"
_RESOLVER = "/etc/resolv.conf"
_NULL = "/dev/null"
# The admin process measures the others. Who sweeps a mirror's directory asks which processes are
# there, and would take those that it cannot see for dead, and their files for left behind.
_PROCESSES = "/proc"
_MEMORY_LIMITS = "/sys/fs/cgroup"  # the mirrors' budget is a share of what it allows

Files = dict[str, FileAccess]
"""Paths, and what may be done to what is there and below."""


def starts_programs(settings: Settings) -> bool:
    """Whether workers start programs, which would be held back with them from their own files."""
    kinds = {mirror.kind for mirror in _mirrors(settings)}
    kinds |= {grant.kind for grant in settings.admin.attach} if settings.admin.listen else set()
    return any(KINDS[kind].starts_programs for kind in kinds)


def connects_by_name(settings: Settings) -> bool:
    """Whether workers connect to an abstract unix socket: to a name that is no file's."""
    addresses = [address for route in settings.routes for address in route.addresses]
    mirrored = [mirror.address for mirror in _mirrors(settings)]
    return any(
        isinstance(address, UnixAddress) and address.is_abstract
        for address in (*addresses, *mirrored)
    )


def find_files(settings: Settings) -> Files:
    """Return what they need, the admin process too: it tries out mirrors before workers get them.

    Called as their user: it looks for a directory to spill into.
    """
    read = dict.fromkeys((_PROCESSES, _MEMORY_LIMITS), READ)
    return _files_of_python() | read | dict(_written(settings))


def _written(settings: Settings) -> Iterator[tuple[str, FileAccess]]:
    yield _NULL, FileAccess.READ_FILE | FileAccess.WRITE_FILE
    for directory in directories_of(_mirrors(settings)):
        yield str(directory), CHANGE
    if settings.admin.listen:
        for grant in settings.admin.attach:
            if grant.directory:
                yield grant.directory, CHANGE
    if settings.admin.listen or any(one.overflow == "spill" for one in _mirrors(settings)):
        yield tempfile.gettempdir(), CHANGE


def _files_of_python() -> Files:
    """Return where modules are loaded from, at any time, and what they read of the system."""
    paths = [*sys.path, sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()]
    paths += spliceproxy.__path__
    # `python -m` puts the working directory first: that may be the root of all files.
    own = {path for path in paths if path.startswith("/") and os.path.realpath(path) != "/"}
    # A link's directory: whoever writes resolv.conf puts a new file in its place.
    resolver = str(Path(_RESOLVER).resolve().parent)
    return dict.fromkeys([*own, *_SYSTEM, _CONFIGURATION, resolver], READ)


def _mirrors(settings: Settings) -> list[MirrorSettings]:
    return [mirror for route in settings.routes for mirror in route.mirrors]
