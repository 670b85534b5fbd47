"""Large files are sent past the page cache, where the file system lets them."""

import sys

from tools.companions.origin.answer import OpenFile
from tools.companions.origin.counts import Count, Row
from tools.companions.origin.ranges import ByteRange
from tools.companions.techniques.direct import DirectSender, set_direct

BUFFER_BYTES = 512 << 10
"""Of each download: a disk is not asked twice as often for want of a larger one."""


class DirectFiles:
    """Files from a size on, as nginx's `directio`."""

    def __init__(self, from_bytes: int, counts: Row) -> None:
        self._from_bytes = from_bytes
        self._counts = counts
        self._has_told = False

    def open_sender(self, file: OpenFile, part: ByteRange) -> DirectSender | None:
        """Return what sends a part of a file; None where it is small, or O_DIRECT is refused."""
        if file.version.size_bytes < self._from_bytes:
            return None
        if set_direct(file.fd):
            self._counts[Count.DIRECT_FILES] += 1
            return DirectSender(file.fd, part.offset, part.length, BUFFER_BYTES)
        self._counts[Count.DIRECT_REFUSALS] += 1
        if not self._has_told:  # the others are only counted
            self._has_told = True
            print(
                f"origin: {file.name!r} is sent by way of the page cache, as all files on its file "
                "system: that refuses O_DIRECT",
                file=sys.stderr,
            )
        return None
