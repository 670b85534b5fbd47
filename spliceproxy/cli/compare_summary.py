"""What `compare` prints: the verdict, then the differences by weight, then latencies."""

from collections.abc import Iterator

from spliceproxy.cli.columns import align
from spliceproxy.compare.comparison import CompareResult
from spliceproxy.compare.fingerprint_tally import TalliedDifference
from spliceproxy.compare.report_file import ReportFile
from spliceproxy.compare.verdict import QUANTILES, remarks, show_quantile, show_seconds, verdict

MOST_SHOWN = 20
_MOST_CHARACTERS = 40
_HEADINGS = ("ANSWERS", "OF", "LEVEL", "REQUEST", "FIELD", "RECORDED", "NEW")


def summarize(result: CompareResult, report: ReportFile) -> Iterator[str]:
    """Return paragraphs."""
    yield "\n".join([verdict(result), *remarks(result)])
    if result.differences:
        shown = result.differences[:MOST_SHOWN]
        text = align(_HEADINGS, [_row(found, report) for found in shown])
        left = len(result.differences) - len(shown)
        yield text + (f"\n{left} more, with less weight" if left else "")
    latencies = [(name, each) for name, each in result.latencies.items() if each.count]
    if latencies:
        headings = ("LATENCY", "ANSWERS", *map(show_quantile, QUANTILES))
        yield align(
            headings,
            [
                (name, each.count, *(show_seconds(each.quantile(q)) for q in QUANTILES))
                for name, each in latencies
            ],
        )


def _row(found: TalliedDifference, report: ReportFile) -> tuple[object, ...]:
    sample = next(report.samples(found.number), None)
    values = ("", "") if sample is None else (_short(sample.recorded), _short(sample.new))
    fingerprint, counts = found.fingerprint, found.counts
    return (
        *(counts.raw, counts.answers, fingerprint.level.value),
        *(_short(fingerprint.request or "-"), _short(fingerprint.field), *values),
    )


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 3] + "..."
