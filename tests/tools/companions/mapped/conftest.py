"""The check that no test leaves a descriptor open, and files that are on a disk."""

from tests.descriptors import no_descriptor_is_left_open
from tests.tools.companions.pagecache.conftest import disk_path

__all__ = ["disk_path", "no_descriptor_is_left_open"]
