"""`compare --live` and `--follow`: recorded answers of mirrors against those that clients had."""

import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from spliceproxy.errors import ExitStatus, UsageProblem, quote

if TYPE_CHECKING:
    from spliceproxy.capture.follow import Follower
    from spliceproxy.compare.comparison import CompareOptions
    from spliceproxy.compare.live_comparison import LiveComparison
    from spliceproxy.compare.report_file import ReportFile

_INTERVAL_S = 0.1
"""As often as a mirror hands over what is little."""
_SCREEN_S = 1.0
_PAGE_S = 30.0
_CLEAR = "\x1b[H\x1b[2J"


def compare_live(
    options: "CompareOptions", report_path: Path | None, html: Path | None, *, follows: bool
) -> ExitStatus:
    """Compare what the capture has, or what comes into it from now on."""
    from spliceproxy.cli.compare_reports import tell
    from spliceproxy.compare.live_comparison import LiveComparison
    from spliceproxy.compare.report_file import ReportFile

    with closing(ReportFile(report_path)) as report:
        comparison = LiveComparison(options, report)
        if follows:
            _Following(options, comparison, report, html).run()
        else:
            _read(options, comparison)
        result = comparison.result()
        if not result.connections:
            raise UsageProblem(
                f"{quote(str(options.recorded))}: nothing to compare"
                + (" has come" if follows else " is in there"),
                "expected a capture with answers of a mirror, such as "
                "--mirror 'tcp://HOST:PORT?answers=capture:DIR'",
            )
        return tell(report, options, result, html)


def _read(options: "CompareOptions", comparison: "LiveComparison") -> None:
    import spliceproxy.capture

    capture = spliceproxy.capture.open(options.recorded)
    for event in capture.events():
        comparison.take(event)
    for problem in capture.unreadable:
        comparison.complain(f"{problem.path}: {problem.what}")


class _Following:
    """Reads on until a signal; shows what has been found so far where somebody looks."""

    def __init__(
        self,
        options: "CompareOptions",
        comparison: "LiveComparison",
        report: "ReportFile",
        html: Path | None,
    ) -> None:
        self._options = options
        self._comparison = comparison
        self._report = report
        self._html = html
        self._is_stopped = False
        self._shown_s = self._written_s = time.monotonic()

    def run(self) -> None:
        """Follow the capture."""
        from spliceproxy.capture.follow import Follower

        with closing(Follower(self._options.recorded)) as follower, self._until_signal():
            click.echo(f"following {quote(str(self._options.recorded))}", err=True)
            try:
                self._follow(follower)
            except UsageProblem as problem:  # what has been found is worth a report
                self._comparison.complain(problem.message)
        if sys.stdout.isatty():
            click.echo(_CLEAR, nl=False)

    def _follow(self, follower: "Follower") -> None:
        while not self._is_stopped:
            self._take(follower)
            self._show()
            if not (follower.is_behind or self._is_stopped):
                time.sleep(_INTERVAL_S)
        self._take(follower)

    def _take(self, follower: "Follower") -> None:
        for event in follower.poll():
            self._comparison.take(event)
        for problem in follower.unreadable:
            self._comparison.complain(f"{problem.path}: {problem.what}")
        follower.unreadable.clear()

    def _show(self) -> None:
        now_s = time.monotonic()
        if sys.stdout.isatty() and now_s - self._shown_s >= _SCREEN_S:
            self._shown_s = now_s
            _draw(self._summary())
        if self._html is not None and now_s - self._written_s >= _PAGE_S:
            from spliceproxy.cli.compare_reports import write_page

            self._written_s = now_s
            write_page(self._html, self._report, self._options, self._comparison.result())

    def _summary(self) -> Iterable[str]:
        from spliceproxy.cli.compare_summary import summarize

        return summarize(self._comparison.result(), self._report)

    @contextmanager
    def _until_signal(self) -> Iterator[None]:
        """End in order at SIGINT or SIGTERM; a second one ends the process at once."""

        def stop(number: int, frame: FrameType | None) -> None:
            self._is_stopped = True
            for each, handler in before.items():
                signal.signal(each, handler)

        before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def _draw(paragraphs: Iterable[str]) -> None:
    click.echo(_CLEAR + "\n\n".join(paragraphs))
