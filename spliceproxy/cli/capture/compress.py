"""`spliceproxy capture compress`: what is sealed, and no mirror has compressed."""

import os
from typing import TYPE_CHECKING

import click

from spliceproxy.cli.capture.reading import OutputStatus, of_directory
from spliceproxy.cli.columns import human_bytes
from spliceproxy.errors import ExitStatus, UsageProblem, quote

if TYPE_CHECKING:
    from spliceproxy.capture.compress import SegmentCompressor

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@click.command()
@of_directory
def compress(directory: str) -> ExitStatus:
    """Compress the segments that are sealed, as a mirror has done with compress=zstd.

    What is being written stays, and all other commands read both kinds.
    """
    from spliceproxy.capture.compress import SegmentCompressor, alone_in
    from spliceproxy.cli.capture.output import until_signal
    from spliceproxy.formats.zstd import open_zstd

    zstd = open_zstd("capture compress")
    outcome = OutputStatus()
    try:
        root = os.open(directory, _OPEN)
        try:
            with alone_in(root) as is_alone:
                if not is_alone:
                    raise UsageProblem(
                        f"{quote(directory)}: another process compresses there", "let it do so"
                    )
                is_stopped = True
                with until_signal():  # what is half done is taken back
                    _compress_all(SegmentCompressor(root, zstd, lambda: False), outcome)
                    is_stopped = False
                if is_stopped:
                    outcome.complain("a signal has ended it before the end")
        finally:
            os.close(root)
    except OSError as problem:
        raise UsageProblem(
            f"{quote(directory)}: {problem.strerror}",
            "expected a directory of a capture, and the right to write into it",
        ) from None
    return outcome.status


def _compress_all(compressor: "SegmentCompressor", outcome: OutputStatus) -> None:
    segments = before = after = 0
    for name in compressor.waiting():
        try:
            done = compressor.compress(name)
        except OSError as problem:
            outcome.complain(f"{name.text}: not compressed: {problem.strerror}")
            continue
        if done is not None:
            segments, before = segments + 1, before + done.before_bytes
            after += done.after_bytes
            sizes = f"{human_bytes(done.before_bytes)} to {human_bytes(done.after_bytes)}"
            click.echo(f"{done.name}  {sizes}")
    click.echo(f"{segments} segments compressed, {human_bytes(before)} to {human_bytes(after)}")
