"""The report of a run: advice, tables, JSON, and the part of a page."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from tools.bench import tables
from tools.bench.report import markdown_table, text_table, work_json
from tools.bench.results import Results, WorkResult
from tools.bench.tables import Table
from tools.bench.transfer import advice, memory_advice, sizes

LEGEND = (
    "Each figure: the ratio to the row of 1.00 in the same round (median over the rounds "
    "[lowest-highest]), then the median itself. CPU is that of the sending process, in user and "
    "system mode; on loopback it carries the packets into the receiver's socket too. The receiver "
    "discards bytes where they are (MSG_TRUNC). Calls are counted in a pass of their own, where "
    "`spliceproxy.kernel` makes them and where files are read: those that move bytes, refused ones "
    "included, without mapping, page faults and waiting. Context switches and page faults are "
    "getrusage(2)'s, of all threads of the sending process."
)


def circumstances(results: Results) -> list[str]:
    machine = results.machine
    return [
        f"{machine.cpu_count} CPUs ({machine.cpu_model}), {machine.memory_bytes / 1e9:.0f} GB",
        f"Linux {machine.kernel}, Python {machine.python}",
        f"{results.rounds} interleaved rounds of {results.seconds:g} s; {results.placement}",
        *tables.foreign_line(results),
        *results.notes,
        *(f"left out: {reason}" for reason in results.left_out),
        *(f"failed: {failure}" for failure in results.failures()),
    ]


def size_table(result: WorkResult) -> Table:
    """Turn the table of sizes: a row for each, since there are more of them than of techniques."""
    methods = list(result.measurements)
    return Table(
        f"{result.work.name}: {result.work.title}",
        ["file", *methods],
        [
            [metric.title, *(tables.cell(result, method, metric) for method in methods)]
            for metric in result.work.metrics
        ],
    )


def all_tables(results: Results) -> list[Table]:
    return [
        size_table(result)
        if result.work.name == sizes.SIZES_NAME
        else tables.work_table(measured_alone(result))
        for result in results.works
    ]


def measured_alone(result: WorkResult) -> WorkResult:
    """Leave out what was measured of nobody, such as cache misses in a virtual machine."""
    metrics = tuple(
        metric
        for metric in result.work.metrics
        if any(result.median(name, metric) is not None for name in result.measurements)
    )
    return replace(result, work=replace(result.work, metrics=metrics))


def sentences(results: Results) -> list[str]:
    """Return what the run has to say to somebody who has to choose."""
    return [*advice.sentences(results), *memory_advice.sentences(results)]


def as_text(results: Results) -> str:
    parts = ["\n".join(circumstances(results)), LEGEND, *map(text_table, all_tables(results))]
    if drawn := sentences(results):
        parts.append("\n".join(["what the figures say", *(f"- {line}" for line in drawn)]))
    return "\n\n".join(parts) + "\n"


def as_json(results: Results) -> str:
    report = {
        "command": results.command,
        "machine": results.machine.as_dict(),
        "placement": results.placement,
        "rounds": results.rounds,
        "seconds": results.seconds,
        "notes": results.notes,
        "left_out": results.left_out,
        "failures": results.failures(),
        "advice": sentences(results),
        "works": {result.work.name: work_json(result) for result in results.works},
    }
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def as_markdown(results: Results, page: Path, picture: Path | None) -> str:
    """Return the part of a page; what to choose comes first."""
    parts = ["\n".join(f"- {sentence}" for sentence in sentences(results))]
    if picture:
        link = os.path.relpath(picture, page.parent)
        parts.append(f"![Cost by technique, file size and pipe size]({link})")
    parts += [
        f"Repeat it with:\n\n```sh\n{results.command}\n```",
        "\n".join(f"- {line}" for line in circumstances(results)),
        LEGEND,
    ]
    return "\n\n".join([*parts, *map(markdown_table, all_tables(results))]) + "\n"
