"""What a comparison has found, as rows of the report."""

from spliceproxy.compare.comparison import CompareOptions, CompareResult
from spliceproxy.compare.report_file import ReportFile

_COUNTS = ("connections", "answers", "unmatched", "strangers", "incomplete")
_LIVE_COUNTS = ("cut_off", "far_behind", "begun_before", "under_way", "forgotten")


def write_report(report: ReportFile, options: CompareOptions, result: CompareResult) -> None:
    """Add all but the samples, which are there already."""
    for number, found in enumerate([*result.differences, *result.noise]):
        counts = found.counts
        fingerprint = found.fingerprint
        report.add_difference(
            (
                *(found.number, fingerprint.request, fingerprint.level.value, fingerprint.field),
                *(number < len(result.differences), counts.weight, counts.raw, counts.noise),
                *(counts.answers, counts.noise_answers, found.first_ns, found.last_ns),
            )
        )
    for name, latencies in result.latencies.items():
        report.add_latencies(name, latencies.classes())
    for name in (*_COUNTS, *(_LIVE_COUNTS if result.is_live else ())):
        report.add_summary(name, getattr(result, name))
    report.add_summary("unreadable", len(result.complaints))
    report.add_summary("recorded", options.recorded)
    report.add_summary("new", options.new)
    report.add_summary("old", options.old or "")
