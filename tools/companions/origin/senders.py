"""From a method's name to the sender of a part of a file."""

from collections.abc import Callable
from dataclasses import dataclass

from tools.companions.origin.answer import OpenFile
from tools.companions.origin.file_cache import FileCache
from tools.companions.origin.mapped_sender import MappedSender
from tools.companions.origin.ranges import ByteRange
from tools.companions.techniques.opening import open_sender
from tools.companions.techniques.sender import METHODS, FileSender, Method

AUTO = "auto"
CACHED = "mmap"
ORIGIN_METHODS = (AUTO, *METHODS)

OpenSender = Callable[[OpenFile, ByteRange], FileSender]


AUTO_COPY_BYTES = 16 << 10  # measured: half the time of a corked sendfile, which evens out above


@dataclass(frozen=True, slots=True)
class Technique:
    """How file parts go out: by senders, except for bodies of up to `copied_bytes`.

    Those are read, and leave with the header in one call.
    """

    open_sender: OpenSender
    copied_bytes: int = 0


def technique(method: str, *, cache: FileCache, buffer_bytes: int, chunk_bytes: int) -> Technique:
    """Return what the method stands for.

    `auto` is sendfile, but copies what is small. `mmap` sends from the maps of the cache. Pieces
    are of `buffer_bytes` where something holds them, and of `chunk_bytes`, a whole turn, where
    nothing does.
    """
    if method == AUTO:
        return Technique(_opener("sendfile", chunk_bytes), AUTO_COPY_BYTES)
    if method == CACHED:
        return Technique(lambda file, part: MappedSender(cache, file, part))
    known: dict[str, Method] = {name: name for name in METHODS}
    return Technique(_opener(known[method], chunk_bytes if method == "sendfile" else buffer_bytes))


def _opener(method: Method, piece_bytes: int) -> OpenSender:
    return lambda file, part: open_sender(
        method, file.fd, part.offset, part.length, buffer_bytes=piece_bytes
    )
