"""From a method's name to the sender of a part of a file."""

from collections.abc import Callable
from dataclasses import dataclass

from tools.companions.origin.answer import OpenFile
from tools.companions.origin.file_cache import FileCache
from tools.companions.origin.mapped_sender import MappedSender
from tools.companions.origin.ranges import ByteRange
from tools.companions.techniques.advice import Advice, AdvisedSender
from tools.companions.techniques.opening import open_sender
from tools.companions.techniques.sender import METHODS, FileSender, Method

AUTO = "auto"
CACHED = "mmap"
ORIGIN_METHODS = (AUTO, *METHODS)

OpenSender = Callable[[OpenFile, ByteRange], FileSender]


# Measured: up to 16 KiB a copy takes half the time of a corked sendfile, at 64 KiB about as much;
# and an answer that is copied can be kept in memory, which takes a fraction of either.
SMALL_FILE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Technique:
    """How file parts go out: by senders, except for bodies of up to `copied_bytes`.

    Those are read, and leave with the header in one call.
    """

    open_sender: OpenSender
    copied_bytes: int = 0


def technique(
    method: str,
    *,
    cache: FileCache,
    buffer_bytes: int,
    chunk_bytes: int,
    small_bytes: int = SMALL_FILE_BYTES,
    advice: frozenset[Advice] = frozenset(),
) -> Technique:
    """Return what the method stands for.

    `auto` is sendfile, but copies what is small. `mmap` sends from the maps of the cache. Pieces
    are of `buffer_bytes` where something holds them, and of `chunk_bytes`, a whole turn, where
    nothing does.
    """
    if method == AUTO:
        return Technique(_advised(_opener("sendfile", chunk_bytes), advice), small_bytes)
    if method == CACHED:
        return Technique(_advised(lambda file, part: MappedSender(cache, file, part), advice))
    known: dict[str, Method] = {name: name for name in METHODS}
    piece_bytes = chunk_bytes if method == "sendfile" else buffer_bytes
    return Technique(_advised(_opener(known[method], piece_bytes), advice))


def _advised(opener: OpenSender, advice: frozenset[Advice]) -> OpenSender:
    if not advice:
        return opener
    return lambda file, part: AdvisedSender(opener(file, part), advice, file.fd, part.offset)


def _opener(method: Method, piece_bytes: int) -> OpenSender:
    return lambda file, part: open_sender(
        method, file.fd, part.offset, part.length, buffer_bytes=piece_bytes
    )
