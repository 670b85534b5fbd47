"""One line of the examination: a fact, how bad it is, and what to do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Value: TypeAlias = str | int | float | bool | list[str] | None


class FindingStatus(StrEnum):
    """How bad a fact is; in the order of badness."""

    OK = "ok"
    WARN = "warn"
    """It works, with a loss that the fact names."""
    FAIL = "fail"
    """What the proxy is for, or what the routes file asks for, cannot be had."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; each of its fields is part of the command's JSON."""

    check: str
    """Names the subject and what of it, as in ``splice.tcp4``. Names never change their meaning."""
    status: FindingStatus
    fact: str
    remedy: str = ""
    """What to do; empty where nothing needs to be done."""
    values: Mapping[str, Value] = field(default_factory=dict)
    """The numbers behind the fact; units are in their names."""


def ok(check: str, fact: str, **values: Value) -> Finding:
    """Return a fact that needs no action."""
    return Finding(check, FindingStatus.OK, fact, "", values)


def warn(check: str, fact: str, remedy: str, **values: Value) -> Finding:
    """Return a fact that costs something."""
    return Finding(check, FindingStatus.WARN, fact, remedy, values)


def fail(check: str, fact: str, remedy: str, **values: Value) -> Finding:
    """Return a fact that stands in the way."""
    return Finding(check, FindingStatus.FAIL, fact, remedy, values)


def worst(findings: Iterable[Finding]) -> FindingStatus:
    """Return the worst status of all."""
    order = list(FindingStatus)
    return max((finding.status for finding in findings), key=order.index, default=FindingStatus.OK)
