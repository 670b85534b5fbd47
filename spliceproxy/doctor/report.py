"""Findings as text for people and as JSON for programs."""

import json
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from spliceproxy import __version__
from spliceproxy.doctor.finding import Finding, FindingStatus, worst

FORMAT = 1
"""Of the JSON. It grows by keys and checks; a change of a meaning is another number."""

_STATUS_COLUMNS = max(map(len, FindingStatus)) + 2
_FEWEST_COLUMNS = 60


def as_json(findings: Sequence[Finding]) -> str:
    """Return one JSON object."""
    content = {
        "format": FORMAT,
        "version": __version__,
        "status": worst(findings),
        "findings": [asdict(finding) for finding in findings],
    }
    return json.dumps(content, indent=2)


def as_text(
    findings: Sequence[Finding], columns: int | None = None
) -> list[tuple[FindingStatus, str]]:
    """Return a paragraph for each finding, aligned, led by its status.

    They are wrapped to so many columns, or not at all.
    """
    names = max((len(finding.check) for finding in findings), default=0) + 2
    return [(finding.status, _paragraph(finding, names, columns)) for finding in findings]


def summary(findings: Sequence[Finding]) -> str:
    """Return how many findings there are of each status."""
    counts = Counter(finding.status for finding in findings)
    return ", ".join(f"{counts[status]} {status}" for status in FindingStatus)


def _paragraph(finding: Finding, names: int, columns: int | None) -> str:
    head = f"{finding.status:{_STATUS_COLUMNS}}{finding.check:{names}}"
    margin = " " * len(head)
    lines = _wrap(finding.fact, head, margin, columns)
    if finding.remedy:
        lines += _wrap(finding.remedy, f"{margin}-> ", f"{margin}   ", columns)
    return "\n".join(lines)


def _wrap(text: str, head: str, margin: str, columns: int | None) -> list[str]:
    if columns is None:
        return [head + text]
    return textwrap.wrap(
        text,
        max(columns, _FEWEST_COLUMNS),
        initial_indent=head,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
