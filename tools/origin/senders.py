"""From a method's name to the sender of a part of a file."""

from collections.abc import Callable

from tools.origin.answer import OpenFile
from tools.origin.file_cache import FileCache
from tools.origin.mapped_sender import MappedSender
from tools.origin.ranges import ByteRange
from tools.techniques import METHODS, FileSender, open_sender

AUTO = "auto"
CACHED = "mmap"
ORIGIN_METHODS = (AUTO, *METHODS)

OpenSender = Callable[[OpenFile, ByteRange], FileSender]


AUTO_COPY_BYTES = 16 << 10


def sender_opener(method: str, *, cache: FileCache, buffer_bytes: int) -> OpenSender:
    """Return what opens senders.

    `auto` copies parts of up to `AUTO_COPY_BYTES` and leaves larger ones to sendfile. `mmap` sends
    from the maps of the cache.
    """

    def by_method(name: str) -> OpenSender:
        return lambda file, part: open_sender(
            name, file.fd, part.offset, part.length, buffer_bytes=buffer_bytes
        )

    if method == CACHED:
        return lambda file, part: MappedSender(cache, file, part)
    if method != AUTO:
        return by_method(method)
    small, large = by_method("readwrite"), by_method("sendfile")
    return lambda file, part: (small if part.length <= AUTO_COPY_BYTES else large)(file, part)
