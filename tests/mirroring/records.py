"""The records that `file:` mirrors write beside their files."""

import json
from pathlib import Path
from typing import Any

from spliceproxy.sinks.account import Gap


def paths_in(directory: Path, pattern: str = "*") -> list[Path]:
    """Files with names of that form, of all days, in their order."""
    return sorted(directory.glob(f"*/{pattern}"))


def names_in(directory: Path, pattern: str = "*") -> list[str]:
    """The names alone."""
    return [path.name for path in paths_in(directory, pattern)]


def record_in(directory: Path) -> dict[str, Any]:
    """The only connection's record."""
    [path] = directory.glob("*/*.json")
    record: dict[str, Any] = json.loads(path.read_text())
    return record


def gaps_of(directory: Path) -> dict[str, list[Gap]]:
    """The only connection's gaps, by direction."""
    gaps = record_in(directory)["gaps"]
    return {direction: [Gap(*gap) for gap in found] for direction, found in gaps.items()}
