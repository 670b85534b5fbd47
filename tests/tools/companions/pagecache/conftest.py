"""The check that no test leaves a descriptor open, and files whose pages can be dropped."""

from pathlib import Path

import pytest

from tests.descriptors import no_descriptor_is_left_open
from tools.bench.machine import file_system

__all__ = ["no_descriptor_is_left_open"]


@pytest.fixture
def disk_path(tmp_path: Path) -> Path:
    """A directory that is not in memory: what is there can leave the page cache."""
    if file_system(tmp_path, Path("/proc/self/mounts").read_text()) in {"tmpfs", "ramfs"}:
        pytest.skip("temporary files are in memory here")
    return tmp_path
