"""Maps the files of a directory before the first request asks for them."""

import os
import stat
from pathlib import Path

from spliceproxy.errors import StartProblem
from tools.companions.origin.answer import OpenFile
from tools.companions.origin.file_cache import FileCache
from tools.companions.origin.refusals import Refusal
from tools.companions.origin.root import Root
from tools.companions.origin.validators import FileVersion


def preload(cache: FileCache, root: Root, root_path: Path, directory: Path) -> int:
    """Map what fits of the files below a directory of the root, in the order of their names.

    Returns how many are mapped. Links to directories are not followed, and what a request would
    not be given is left out.

    Raises:
        StartProblem: the directory is not in the root.
    """
    below = (root_path / directory).resolve()
    if not below.is_dir() or not below.is_relative_to(root_path.resolve()):
        raise StartProblem(f"{directory} is no directory in {root_path}", "name one to preload")
    count = 0
    for parent, directories, names in os.walk(below):
        directories.sort()
        for name in sorted(names):
            path = Path(parent, name).relative_to(root_path.resolve())
            count += _preload_file(cache, root, os.fsencode(path))
    return count


def _preload_file(cache: FileCache, root: Root, path: bytes) -> bool:
    try:
        fd = root.open(path)
    except Refusal:  # gone, unreadable, or a link out of the root
        return False
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            return False
        return cache.preload(OpenFile(fd, FileVersion.of(status), os.fsdecode(path)))
    finally:
        os.close(fd)
