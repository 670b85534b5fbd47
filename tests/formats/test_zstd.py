"""zstd frames: what they say of themselves, and what decompressing them may take."""

import sys
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.formats import zstd
from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.zstd import BadFrameError, NoZstdProblem, open_zstd
from spliceproxy.formats.zstd_frame import NoFrameError, ZstdFrame, measure_frame

contents = st.one_of(
    st.binary(min_size=1, max_size=2000),
    st.builds(
        lambda byte, count: bytes([byte]) * count, st.integers(0, 255), st.integers(1, 70000)
    ),
)


def library() -> Any:
    return pytest.importorskip("zstandard")


@given(contents, st.binary(max_size=20))
def test_a_frame_is_as_long_as_it_says(content: bytes, behind: bytes) -> None:
    frame = open_zstd("it").compress(content)
    assert measure_frame(b"xy" + frame + behind, 2) == ZstdFrame(len(frame), len(content))
    assert open_zstd("it").decompress(frame, len(content)) == content
    for length in range(min(len(frame), 300)):
        more = measure_frame(frame[:length])
        assert isinstance(more, NeedMore)
        assert length < more.length <= len(frame)


@pytest.mark.parametrize("is_small", [True, False])
@pytest.mark.parametrize("has_checksum", [True, False])
def test_frames_of_other_writers(is_small: bool, has_checksum: bool) -> None:
    content = b"abc" * (20 if is_small else 100_000)
    # With a window below the content it is no single segment.
    parameters = library().ZstdCompressionParameters(
        window_log=10, write_checksum=has_checksum, write_content_size=True
    )
    frame = library().ZstdCompressor(compression_params=parameters).compress(content)
    assert measure_frame(frame) == ZstdFrame(len(frame), len(content))


@given(st.binary(max_size=60))
def test_anything_is_a_frame_or_the_beginning_of_one_or_none(data: bytes) -> None:
    for given_data in (data, b"\x28\xb5\x2f\xfd" + data):
        try:
            found = measure_frame(given_data)
        except NoFrameError:
            continue
        if isinstance(found, NeedMore):
            assert found.length > len(given_data)
        else:
            assert 0 < found.stored_bytes <= len(given_data)


def test_a_frame_that_does_not_say_how_long_its_content_is() -> None:
    frame = library().ZstdCompressor(write_content_size=False).compress(b"a" * 3000)
    with pytest.raises(NoFrameError, match="how long"):
        measure_frame(frame)


@given(contents, st.data())
def test_damage_is_found(content: bytes, data: st.DataObject) -> None:
    frame = bytearray(open_zstd("it").compress(content))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(BadFrameError):
        # A bit of the header says nothing; and a window may have another size.
        assert open_zstd("it").decompress(bytes(frame), len(content)) == content


def test_what_is_longer_or_shorter_than_it_is_to_be_is_refused() -> None:
    frame = open_zstd("it").compress(b"a" * 1000)
    for given_frame, count in (
        (frame, 999),
        (frame, 1001),
        (frame + b"x", 1000),
        (frame[:-1], 1000),
    ):
        with pytest.raises(BadFrameError):
            open_zstd("it").decompress(given_frame, count)


def test_a_header_that_promises_too_much_costs_nothing() -> None:
    frame = open_zstd("it").compress(b"a" * 1000)
    assert frame[4] >> 6 == 1  # a content size of two bytes
    huge = frame[:4] + bytes([frame[4] | 0xC0]) + (1 << 62).to_bytes(8, "little") + frame[7:]
    assert measure_frame(huge) == ZstdFrame(len(huge), 1 << 62)
    with pytest.raises(BadFrameError):
        open_zstd("it").decompress(huge, 1000)


def test_without_a_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("compression", "compression.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    zstd._find.cache_clear()
    try:
        with pytest.raises(NoZstdProblem) as caught:
            open_zstd("this")
    finally:
        zstd._find.cache_clear()
    assert str(caught.value) == (
        "this needs Python 3.14, or the package zstandard; pip install 'spliceproxy[zstd]'"
    )


class StandardLibrary(SimpleNamespace):
    """What of `compression.zstd` is used, played by the package: this Python has none."""

    def __init__(self) -> None:
        real = library()
        names = ("compression_level", "checksum_flag", "content_size_flag")
        super().__init__(
            ZstdError=real.ZstdError,
            CompressionParameter=SimpleNamespace(**{name: name for name in names}),
            DecompressionParameter=SimpleNamespace(window_log_max="window_log_max"),
        )

    def compress(self, content: bytes, *, options: dict[str, int]) -> bytes:
        assert (options["checksum_flag"], options["content_size_flag"]) == (1, 1)
        frame: bytes = library().ZstdCompressor(write_checksum=True).compress(content)
        return frame

    def ZstdDecompressor(self, *, options: dict[str, int]) -> Any:  # noqa: N802
        assert options == {"window_log_max": 20}
        decompressor = library().ZstdDecompressor().decompressobj()
        found = SimpleNamespace(eof=False, unused_data=b"")

        def decompress(data: bytes, max_length: int) -> bytes:
            content: bytes = decompressor.decompress(data)
            found.eof = decompressor.eof and len(content) <= max_length
            found.unused_data = decompressor.unused_data
            return content[:max_length]

        found.decompress = decompress
        return found


def test_the_library_of_python_is_used_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "compression", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "compression.zstd", StandardLibrary())
    zstd._find.cache_clear()
    try:
        found = open_zstd("it")
        assert found is open_zstd("it")
        assert isinstance(found, zstd._OfPython)
        frame = found.compress(b"abc" * 100)
        assert found.decompress(frame, 300) == b"abc" * 100
        for given_frame, count in ((frame, 299), (frame, 301), (frame + b"x", 300)):
            with pytest.raises(BadFrameError):
                found.decompress(given_frame, count)
    finally:
        zstd._find.cache_clear()
