"""The report as a page in one file, for colleagues: it loads nothing, and runs nothing.

What it shows comes from servers that nobody vouches for: every text goes through `_text`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from importlib.resources import files

from spliceproxy import __version__
from spliceproxy.compare.comparison import CompareOptions, CompareResult
from spliceproxy.compare.fingerprint_tally import TalliedDifference
from spliceproxy.compare.first_difference import same_beginning
from spliceproxy.compare.latency_curves import draw_curves
from spliceproxy.compare.report_file import DifferenceSample, ReportFile
from spliceproxy.compare.verdict import QUANTILES, remarks, show_quantile, show_seconds, verdict

MOST_SHOWN = 200
"""Differences, of each sort; the rest is in the database."""
_SHORT_CHARACTERS = 30


def make_page(report: ReportFile, options: CompareOptions, result: CompareResult) -> Iterator[str]:
    """Return the page, piece by piece."""
    style = files("spliceproxy.compare").joinpath("page.css").read_text()
    kind = "bad" if result.differences else "good"
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
        " style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(verdict(result))}</title><style>\n{style}</style></head><body>\n"
        f'<h1 class="{kind}">{_text(verdict(result))}</h1>\n'
    )
    for remark in remarks(result):
        yield f"<p>{_text(remark)}</p>\n"
    yield f'<p class="faint">{_text(_sources(options))}</p>\n'
    yield from _differences("Differences", result.differences, report)
    yield from _latencies(result)
    yield from _differences("Noise: differences that do not count", result.noise, report)
    yield "</body></html>\n"


def _text(text: object) -> str:
    """Return a text that stays text in the page."""
    shown = "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in str(text))
    return escape(shown, quote=True)


def _sources(options: CompareOptions) -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    noise = "" if options.old is None else f", noise by {options.old}"
    return f"{options.recorded} against {options.new}{noise}; spliceproxy {__version__}, {now}"


def _differences(
    title: str, differences: list[TalliedDifference], report: ReportFile
) -> Iterator[str]:
    if not differences:
        return
    yield f"<section><h2>{_text(title)}</h2>\n"
    yield (
        '<div class="row faint"><span>answers</span><span>level</span><span>request</span>'
        "<span>field</span><span>such as</span></div>\n"
    )
    for found in differences[:MOST_SHOWN]:
        yield from _difference(found, report)
    left = len(differences) - MOST_SHOWN
    if left > 0:
        yield f'<p class="faint">{left} more, with less weight</p>\n'
    yield "</section>\n"


def _difference(found: TalliedDifference, report: ReportFile) -> Iterator[str]:
    counts, fingerprint = found.counts, found.fingerprint
    samples = list(report.samples(found.number))
    texts = (fingerprint.level, fingerprint.request or "-", fingerprint.field)
    cells = "".join(f"<span>{_text(text)}</span>" for text in texts)
    such_as = ""
    if samples:
        such_as = f"{_short(samples[0].recorded)} \u2192 {_short(samples[0].new)}"
    yield (
        f'<details><summary class="row"><b>{counts.raw:,} of {counts.answers:,}</b>{cells}'
        f"<span><code>{_text(such_as)}</code></span></summary>\n"
    )
    if counts.noise_answers:
        noise = f"{counts.noise:,} of {counts.noise_answers:,} answers differ"
        yield f'<p class="faint">In the old version\'s replay {noise}</p>\n'
    if found.last_ns:
        yield f'<p class="faint">Recorded {_time(found.first_ns)} to {_time(found.last_ns)}</p>\n'
    yield from map(_sample, samples)
    yield "</details>\n"


def _short(text: str) -> str:
    return text if len(text) <= _SHORT_CHARACTERS else f"{text[:_SHORT_CHARACTERS]}..."


def _time(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _sample(sample: DifferenceSample) -> str:
    one, other = sample.recorded, sample.new
    return (
        f'<p><code>{_text(sample.asked)}</code> <span class="faint">connection'
        f" {_text(sample.connection)}</span></p>"
        f'<div class="sides"><pre title="recorded">{_marked(one, other)}</pre>'
        f'<pre title="new">{_marked(other, one)}</pre></div>\n'
    )


def _marked(text: str, other: str) -> str:
    """Return a text in which what differs stands out: between what both begin and end with."""
    begin = same_beginning(text, other)
    rest, other_rest = text[begin:][::-1], other[begin:][::-1]
    end = len(text) - same_beginning(rest, other_rest)
    return f"{_text(text[:begin])}<mark>{_text(text[begin:end])}</mark>{_text(text[end:])}"


def _latencies(result: CompareResult) -> Iterator[str]:
    if not any(each.count for each in result.latencies.values()):
        return
    yield "<section><h2>Latency: from a request to the first byte of its answer</h2>\n"
    yield draw_curves(result.latencies)
    heads = "".join(f"<th>{show_quantile(fraction)}</th>" for fraction in QUANTILES)
    yield f"<table><tr><th></th><th>answers</th>{heads}</tr>\n"
    for name, latencies in result.latencies.items():
        cells = "".join(f"<td>{show_seconds(latencies.quantile(q))}</td>" for q in QUANTILES)
        yield f'<tr><td class="{name}">{name}</td><td>{latencies.count:,}</td>{cells}</tr>\n'
    yield "</table>\n"
    if "old" in result.latencies:
        yield '<p class="faint">old: the old version, replayed like the new one</p>'
    yield "</section>\n"
