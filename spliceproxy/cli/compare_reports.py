"""What `compare` has found, told in all the ways that are asked for."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spliceproxy.cli.compare_summary import summarize
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
    return ExitStatus.DIFFERENT if result.differences else ExitStatus.OK


def write_page(
    path: Path, report: "ReportFile", options: "CompareOptions", result: "CompareResult"
) -> None:
    """Write the page beside its name, and give it that when it is whole.

    Raises:
        UsageProblem: it cannot be written there.
    """
    from spliceproxy.compare.html_page import make_page

    is_special = path.exists() and not path.is_file()  # such as /dev/stdout
    unfinished = path if is_special else path.resolve().with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(make_page(report, options, result))
        if not is_special:
            unfinished.replace(path.resolve())
    except OSError as problem:
        raise UsageProblem(
            f"--html {quote(str(path))}: {problem.strerror}", "expected a file that can be written"
        ) from None
    finally:
        if not is_special:
            unfinished.unlink(missing_ok=True)
