"""What `compare` has found, told in all the ways that are asked for."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from spliceproxy.cli.compare_summary import summarize
from spliceproxy.cli.output_file import appearing_file
from spliceproxy.compare.written_report import write_report
from spliceproxy.errors import ExitStatus, UsageProblem, quote

if TYPE_CHECKING:
    from spliceproxy.compare.comparison import CompareOptions, CompareResult
    from spliceproxy.compare.report_file import ReportFile


def tell(
    report: "ReportFile", options: "CompareOptions", result: "CompareResult", html: Path | None
) -> ExitStatus:
    """Print the summary, finish the report, and write the page."""
    for paragraph in summarize(result, report):
        click.echo(paragraph + "\n")
    write_report(report, options, result)
    report.finish()
    if html is not None:
        write_page(html, report, options, result)
    for line in result.complaints:
        click.echo(f"spliceproxy: {line}", err=True)
    return ExitStatus.DIFFERENT if result.differences or result.complaints else ExitStatus.OK


def write_page(
    path: Path, report: "ReportFile", options: "CompareOptions", result: "CompareResult"
) -> None:
    """Write the page beside its name, and give it that when it is whole.

    Raises:
        UsageProblem: it cannot be written there.
    """
    from spliceproxy.compare.html_page import make_page

    try:
        with appearing_file(path, 0o666) as file:
            for text in make_page(report, options, result):
                file.write(text.encode("utf-8", "backslashreplace"))
    except OSError as problem:
        raise UsageProblem(
            f"--html {quote(str(path))}: {problem.strerror}", "expected a file that can be written"
        ) from None
