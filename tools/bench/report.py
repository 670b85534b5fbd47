"""The report of a run: tables for the terminal, JSON for programs, markdown for the docs."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

from tools.bench import bounds, tables
from tools.bench.results import Results, WorkResult
from tools.bench.tables import Table
from tools.bench.works.work import Metric

LEGEND = (
    "Each figure: the ratio to {reference} in the same round (median over the "
    "rounds [lowest-highest]), then the median itself. Ratios can be compared, the rest is "
    "there for scale. CPU is that of the proxy's whole process tree, and of the kernel's softirq "
    "thread where the proxy has a CPU of its own; host memory is the proxy's private memory and "
    "the kernel's slabs, less the two sockets at the ends."
)


def all_tables(results: Results, peer: str) -> list[Table]:
    found = [tables.work_table(result) for result in results.works]
    verdicts = tables.bounds_table(results, peer)
    return [*found, verdicts] if verdicts.rows else found


def as_text(results: Results, peer: str) -> str:
    parts = ["\n".join(tables.circumstances(results)), _legend(results)]
    return "\n\n".join([*parts, *map(text_table, all_tables(results, peer))]) + "\n"


def _legend(results: Results) -> str:
    return LEGEND.format(reference=results.standard.reference)


def text_table(table: Table) -> str:
    grid = [table.heads, *table.rows]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in grid
    ]
    return "\n".join([table.title, *lines])


def as_json(results: Results, peer: str) -> str:
    report = {
        "command": results.command,
        "machine": results.machine.as_dict(),
        "placement": results.placement,
        "rounds": results.rounds,
        "seconds": results.seconds,
        "versions": results.versions,
        "notes": results.notes,
        "left_out": results.left_out,
        "failures": results.failures(),
        "works": {result.work.name: work_json(result) for result in results.works},
        "bounds": [
            {
                "work": verdict.bound.work,
                "metric": verdict.bound.metric.name,
                "limit": verdict.bound.limit,
                "peer": verdict.peer,
                "against": verdict.bound.against or None,
                "figure": verdict.figure,
                "met": verdict.is_met,
            }
            for verdict in bounds.verdicts(results.works, peer, results.standard)
        ],
    }
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def work_json(result: WorkResult) -> dict[str, object]:
    def figures(peer: str, metric: Metric) -> dict[str, object]:
        ratio = result.ratio(peer, metric)
        return {
            "values": result.values(peer, metric),
            "median": result.median(peer, metric),
            "ratios": result.ratio_values(peer, metric),
            "ratio": asdict(ratio) if ratio else None,
        }

    return {
        "title": result.work.title,
        "baselines": result.baselines,
        "foreign_cpu_shares": {
            peer: [taken.foreign_share for taken in measurements]
            for peer, measurements in result.measurements.items()
        },
        "peers": {
            peer: {metric.name: figures(peer, metric) for metric in result.work.metrics}
            for peer in result.measurements
        },
    }


def as_markdown(results: Results, peer: str, picture: str | None = None) -> str:
    parts = [
        f"Repeat it with:\n\n```sh\n{results.command}\n```",
        "\n".join(f"- {line}" for line in tables.circumstances(results)),
        _legend(results),
    ]
    if picture:
        parts.append(f"![Ratios to {results.standard.reference}]({picture})")
    return "\n\n".join([*parts, *map(markdown_table, all_tables(results, peer))]) + "\n"


def markdown_table(table: Table) -> str:
    rule = ["---"] * len(table.heads)
    lines = ["| " + " | ".join(row) + " |" for row in [table.heads, rule, *table.rows]]
    return "\n".join([f"### {table.title}", "", *lines])


def put_into_page(page: Path, section: str, text: str, writer: str = "tools.bench") -> None:
    """Replace this section's part of a page, or append it; hand-written text stays."""
    begin, end = f"<!-- {section}: begin, written by {writer} -->", f"<!-- {section}: end -->"
    block = f"{begin}\n{text}{end}"
    known = page.read_text() if page.exists() else ""
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if pattern.search(known):
        page.write_text(pattern.sub(lambda _match: block, known, count=1))
    else:
        page.write_text(f"{known.rstrip()}\n\n{block}\n".lstrip())
