"""Compressing the captures of tests."""

import os
from pathlib import Path

from spliceproxy.capture.compress import CompressedSegment, SegmentCompressor, alone_in
from spliceproxy.formats.zstd import open_zstd


def compress_all(directory: Path) -> list[CompressedSegment]:
    """Compress what is sealed; returns what became of each."""
    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with alone_in(root) as is_alone:
            assert is_alone
            compressor = SegmentCompressor(root, open_zstd("a test"), lambda: False)
            done = [compressor.compress(name) for name in compressor.waiting()]
    finally:
        os.close(root)
    return [one for one in done if one is not None]
