"""zstd, by the library that is there: that of Python 3.14, or `zstandard` from PyPI."""

import importlib
from abc import ABC, abstractmethod
from functools import cache
from typing import Any

from spliceproxy.errors import UsageProblem

EXTRA = "spliceproxy[zstd]"
_LEVEL = 3  # zstd's own default: most of what it can do, at hundreds of MB a second
_MOST_WINDOW_LOG = 20  # 1 MiB, as much as a frame of a segment has
_STANDARD_LIBRARY, _PACKAGE = "compression.zstd", "zstandard"


class NoZstdProblem(UsageProblem):
    """There is no library for it."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} needs Python 3.14, or the package {_PACKAGE}", f"pip install '{EXTRA}'"
        )


class BadFrameError(ValueError):
    """A frame that cannot be decompressed, or that has not what its header says."""


class Zstd(ABC):
    """Frames that have the length of their content in their header, and a checksum of it."""

    @abstractmethod
    def compress(self, content: bytes) -> bytes:
        """Return a frame."""

    @abstractmethod
    def decompress(self, frame: bytes, content_bytes: int) -> bytes:
        """Return the content of a frame, which has that length; it takes no more memory than that.

        Raises:
            BadFrameError: it has not, or is damaged.
        """


class _OfPackage(Zstd):
    def __init__(self, library: Any) -> None:
        self._library = library
        self._compressor = library.ZstdCompressor(
            level=_LEVEL, write_checksum=True, write_content_size=True
        )
        self._decompressor = library.ZstdDecompressor(max_window_size=1 << _MOST_WINDOW_LOG)

    def compress(self, content: bytes) -> bytes:
        frame: bytes = self._compressor.compress(content)
        return frame

    def decompress(self, frame: bytes, content_bytes: int) -> bytes:
        try:
            # It makes room for what the header says, whatever it is told.
            if self._library.frame_content_size(frame) != content_bytes:
                raise BadFrameError("a frame of another length")
            content: bytes = self._decompressor.decompress(frame, allow_extra_data=False)
        except self._library.ZstdError as error:
            raise BadFrameError(str(error)) from None
        return content


class _OfPython(Zstd):
    def __init__(self, library: Any) -> None:
        self._library = library
        parameter = library.CompressionParameter
        self._options = {
            parameter.compression_level: _LEVEL,
            parameter.checksum_flag: 1,
            parameter.content_size_flag: 1,
        }
        # It would make room for whatever window a header asks for.
        self._limits = {library.DecompressionParameter.window_log_max: _MOST_WINDOW_LOG}

    def compress(self, content: bytes) -> bytes:
        frame: bytes = self._library.compress(content, options=self._options)
        return frame

    def decompress(self, frame: bytes, content_bytes: int) -> bytes:
        decompressor = self._library.ZstdDecompressor(options=self._limits)
        try:
            # One more than there are to be: so it comes to the frame's end, and to its checksum.
            content: bytes = decompressor.decompress(frame, max_length=content_bytes + 1)
        except self._library.ZstdError as error:
            raise BadFrameError(str(error)) from None
        is_all = decompressor.eof and not decompressor.unused_data
        if not is_all or len(content) != content_bytes:
            raise BadFrameError("a frame of another length")
        return content


def open_zstd(what: str) -> Zstd:
    """Return what compresses and decompresses.

    Raises:
        NoZstdProblem: there is nothing; `what` needs it.
    """
    found = _find()
    if found is None:
        raise NoZstdProblem(what)
    return found


@cache
def _find() -> Zstd | None:
    for name, kind in ((_STANDARD_LIBRARY, _OfPython), (_PACKAGE, _OfPackage)):
        try:
            return kind(importlib.import_module(name))
        except ImportError:
            continue
    return None
