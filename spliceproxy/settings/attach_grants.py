"""Which mirrors may be attached while the proxy runs; a grant is written as a mirror begins."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePath

from spliceproxy.errors import quote
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.settings.mirror_options import Kind

GRANT_FORMS = "tcp, unix, null, exec, or file:/DIRECTORY"
_WHOLE_KINDS: tuple[Kind, ...] = ("tcp", "unix", "null", "exec")


@dataclass(frozen=True, slots=True)
class AttachGrant:
    """Mirrors of a kind; of those to files the ones in a directory and below."""

    kind: Kind
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
        if mirror.kind != self.kind or self.kind != "file":
            return mirror.kind == self.kind
        return PurePath(os.path.normpath(mirror.target)).is_relative_to(self.directory)


DEFAULT_GRANTS = (AttachGrant("tcp"), AttachGrant("unix"), AttachGrant("null"))
"""What neither writes files nor starts programs."""


def parse_grant(text: str) -> AttachGrant:
    """Return a grant; ValueError says what is wrong and what is expected."""
    for kind in _WHOLE_KINDS:
        if text == kind:
            return AttachGrant(kind)
    directory = text.removeprefix("file:")
    if directory == text:
        raise ValueError(f"{quote(text)} is nothing to attach: expected {GRANT_FORMS}")
    if not directory.startswith("/") or not directory.isprintable():
        raise ValueError(f"{quote(text)} names no directory: expected file:/DIRECTORY")
    return AttachGrant("file", directory)


def why_not_granted(mirror: MirrorSettings, grants: Iterable[AttachGrant]) -> str | None:
    """Return why a mirror may not be attached, and what to do about it; None: it may."""
    if any(grant.covers(mirror) for grant in grants):
        return None
    if mirror.kind == "file":
        what, lacking = "writing there is", f"file:{os.path.normpath(mirror.target)}"
    else:
        what, lacking = f"{mirror.kind}: is", mirror.kind
    return (
        f"{what} not granted: add {lacking} to `attach` of `admin` in the configuration, and "
        "restart"
    )
