"""Which mirrors may be attached while the proxy runs; a grant is written as a mirror begins."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePath

from spliceproxy.errors import alternatives, quote
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.settings.mirror_kinds.table import KINDS

GRANT_FORMS = alternatives(
    [
        f"{kind.name}:/DIRECTORY" if kind.is_directory else kind.name
        for kind in KINDS.values()
        if kind.is_attachable
    ]
)


@dataclass(frozen=True, slots=True)
class AttachGrant:
    """Mirrors of a kind; of those to directories the ones in one of them and below."""

    kind: str
    directory: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.directory}" if self.directory else self.kind

    def resolved(self) -> "AttachGrant":
        """Return the same grant with the directory that links lead to. Can block."""
        if not self.directory:
            return self
        return replace(self, directory=os.path.realpath(self.directory))

    def covers(self, mirror: MirrorSettings) -> bool:
        """Whether the mirror is granted; paths are taken as they are written, links and all."""
        if mirror.kind != self.kind or not self.directory:
            return mirror.kind == self.kind
        return PurePath(os.path.normpath(mirror.target)).is_relative_to(self.directory)


DEFAULT_GRANTS = tuple(AttachGrant(kind.name) for kind in KINDS.values() if kind.granted)
"""What neither writes files nor starts programs."""


def parse_grant(text: str) -> AttachGrant:
    """Return a grant; ValueError says what is wrong and what is expected."""
    name, colon, directory = text.partition(":")
    kind = KINDS.get(name)
    if kind is None or not kind.is_attachable or (colon and not kind.is_directory):
        raise ValueError(f"{quote(text)} is nothing to attach: expected {GRANT_FORMS}")
    if kind.is_directory and not (directory.startswith("/") and directory.isprintable()):
        raise ValueError(f"{quote(text)} names no directory: expected {name}:/DIRECTORY")
    return AttachGrant(name, directory)


def written_directory(mirror: MirrorSettings) -> str:
    """Return the directory that a mirror writes into; empty if it has none."""
    return mirror.target if KINDS[mirror.kind].is_directory else ""


def why_directory_is_taken(mirror: MirrorSettings, taken: Iterable[str]) -> str | None:
    """Return why a mirror may not write where one of the configuration does; None: it may.

    All paths as links lead to them.
    """
    directory = written_directory(mirror)
    for other in taken if directory else ():
        if PurePath(directory).is_relative_to(other):
            return (
                f"a mirror of the configuration writes into {quote(other)}: attach one with a "
                "directory of its own"
            )
    return None


def why_not_granted(mirror: MirrorSettings, grants: Iterable[AttachGrant]) -> str | None:
    """Return why a mirror may not be attached, and what to do about it; None: it may."""
    if not KINDS[mirror.kind].is_attachable:
        return f"{mirror.kind}: cannot be attached: add the mirror to the configuration, and reload"
    reserved = KINDS[mirror.kind].reserved_options(mirror)
    if reserved:
        return f"{reserved[0]} is for mirrors of the configuration alone: attach without it"
    if any(grant.covers(mirror) for grant in grants):
        return None
    if KINDS[mirror.kind].is_directory:
        what, lacking = "writing there is", f"{mirror.kind}:{os.path.normpath(mirror.target)}"
    else:
        what, lacking = f"{mirror.kind}: is", mirror.kind
    return (
        f"{what} not granted: add {lacking} to `attach` of `admin` in the configuration, and "
        "restart"
    )
