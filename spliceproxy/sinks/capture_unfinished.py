"""Files that a crash has left before they were segments, or before they were compressed.

They have nothing that is not elsewhere: one without its header yet, or the half of a segment that
is still there as a whole.
"""

import os
import time
from contextlib import suppress

from spliceproxy.formats.capture.names import NEW_SUFFIX, parse_segment_name
from spliceproxy.kernel.file_lock import is_locked_at

_CERTAIN_S = 60.0
"""So long after it was made nobody is just about to lock it, unless a disk hangs: then that one's
next step fails, and is told."""


def remove_unfinished(directory: str | int) -> None:
    """Remove what nobody works on any more; what cannot be removed stays."""
    with suppress(OSError):
        root = os.open(directory, _OPEN) if isinstance(directory, str) else os.dup(directory)
        try:
            _remove_in(root)
        finally:
            os.close(root)


_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def _remove_in(root: int) -> None:
    with os.scandir(root) as entries:
        names = [entry.name for entry in entries if entry.name.endswith(NEW_SUFFIX)]
    before_s = time.time() - _CERTAIN_S
    for name in names:
        if parse_segment_name(name.removesuffix(NEW_SUFFIX)) is None:
            continue
        changed_s = os.stat(name, dir_fd=root, follow_symlinks=False).st_ctime
        if changed_s < before_s and not is_locked_at(name, root):
            os.unlink(name, dir_fd=root)
