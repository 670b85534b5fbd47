"""How long a zstd frame is, here and decompressed, by its own headers (RFC 8878, section 3.1.1).

So it is known what decompressing takes before it is done, whoever made the frame.
"""

from dataclasses import dataclass

from spliceproxy.formats.need_more import NeedMore

_MAGIC = (0xFD2FB528).to_bytes(4, "little")
_BLOCK_HEADER_BYTES = 3
_CHECKSUM_BYTES = 4
_RLE, _RESERVED = 1, 3
_DICTIONARY_ID_BYTES = (0, 1, 2, 4)
_CONTENT_SIZE_BYTES = (0, 2, 4, 8)


class NoFrameError(ValueError):
    """The bytes are no zstd frame that says how long it is."""


@dataclass(frozen=True, slots=True)
class ZstdFrame:
    """One frame."""

    stored_bytes: int
    content_bytes: int
    """That it claims to have; a decoder finds out whether that is so."""


def measure_frame(data: bytes, at: int = 0) -> ZstdFrame | NeedMore:
    """Look at the frame that begins there.

    Raises:
        NoFrameError: there is none, or one whose header does not tell the length of its content.
    """
    header = _read_header(data, at)
    if isinstance(header, NeedMore):
        return header
    place, content_bytes, has_checksum = header
    is_last = False
    while not is_last:
        if len(data) < place + _BLOCK_HEADER_BYTES:
            return NeedMore(place + _BLOCK_HEADER_BYTES)
        block = int.from_bytes(data[place : place + _BLOCK_HEADER_BYTES], "little")
        is_last, kind, size = bool(block & 1), block >> 1 & 3, block >> 3
        if kind == _RESERVED:
            raise NoFrameError("a block of a reserved kind")
        place += _BLOCK_HEADER_BYTES + (1 if kind == _RLE else size)
    place += _CHECKSUM_BYTES * has_checksum
    if len(data) < place:
        return NeedMore(place)
    return ZstdFrame(place - at, content_bytes)


def _read_header(data: bytes, at: int) -> tuple[int, int, bool] | NeedMore:
    """Return where the first block is, how long the content is, whether a checksum follows."""
    if data[at : at + 4] != _MAGIC[: len(data) - at]:
        raise NoFrameError("it does not begin as one")
    if len(data) < at + 5:
        return NeedMore(at + 5)
    descriptor = data[at + 4]
    is_single = bool(descriptor & 0x20)  # then it has no window but its content
    size_bytes = _CONTENT_SIZE_BYTES[descriptor >> 6] or int(is_single)
    if not size_bytes:
        raise NoFrameError("it does not tell how long its content is")
    place = at + 5 + (not is_single) + _DICTIONARY_ID_BYTES[descriptor & 3]
    if len(data) < place + size_bytes:
        return NeedMore(place + size_bytes)
    content_bytes = int.from_bytes(data[place : place + size_bytes], "little")
    if size_bytes == 2:  # they begin where one byte ends
        content_bytes += 256
    return place + size_bytes, content_bytes, bool(descriptor & 4)
