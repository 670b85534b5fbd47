"""A routes file to settings, whole or not at all."""

import os
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from pathlib import Path

from pydantic import ValidationError

from spliceproxy.errors import RefusedFile, quote
from spliceproxy.routes_file.clashes import find_clashes
from spliceproxy.routes_file.defaults import apply_defaults
from spliceproxy.routes_file.environment import Environment
from spliceproxy.routes_file.explain import explain
from spliceproxy.routes_file.model import RoutesFile
from spliceproxy.routes_file.nodes import MAX_FILE_BYTES, read_nodes
from spliceproxy.routes_file.placed import place
from spliceproxy.routes_file.references import find_wrong_references
from spliceproxy.routes_file.tree import Mistake, Position
from spliceproxy.routes_file.values import Values
from spliceproxy.settings.answer_captures import find_lost_answers
from spliceproxy.settings.loops import find_loops
from spliceproxy.settings.proxy import Settings
from spliceproxy.settings.reach import Path as RoutePath
from spliceproxy.settings.reach import find_idle_mirrors

Look = Callable[[Settings], Iterable[tuple[int | None, RoutePath, str]]]
"""Finds what is wrong with what the settings name: a route's number, the path in it, a message.
Without a number the path is that of the file."""


def look_at_nothing(_: Settings) -> Iterable[tuple[int | None, RoutePath, str]]:
    """Take a file by its text alone."""
    return ()


def load(
    path: str, variables: Mapping[str, str] = os.environ, look: Look = look_at_nothing
) -> Settings:
    """Return the settings of a file; `look` says what else is wrong with it than its text.

    Raises:
        RefusedFile: it cannot be read, or has mistakes; the exception has all of them.
    """
    name = path if path.isprintable() else quote(path)
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as problem:  # ValueError: a NUL in the path
        why = problem.strerror if isinstance(problem, OSError) else problem
        raise RefusedFile(f"cannot read {name} ({why})", "check the path", ()) from None
    settings, mistakes = read_settings(data, variables, look)
    if settings is None:
        count = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"
        lines = tuple(mistake.line(name) for mistake in mistakes)
        raise RefusedFile(f"{name} has {count}", "nothing was started or changed", lines)
    return settings


def read_settings(
    data: bytes, variables: Mapping[str, str], look: Look = look_at_nothing
) -> tuple[Settings | None, list[Mistake]]:
    """Return the settings, or every mistake by its position."""
    node, mistakes = read_nodes(data)
    if mistakes:
        return None, mistakes
    if node is None:
        return None, [Mistake(Position(1, 1), "", "the file is empty: expected routes")]
    values = Values(Environment(variables))
    root = values.read(node)
    if root is None:
        return None, values.mistakes
    mistakes = [*values.mistakes, *find_clashes(root), *find_wrong_references(root)]
    root, too_many = apply_defaults(root)
    mistakes += too_many
    settings = None
    try:
        settings = RoutesFile.model_validate(root.plain(), by_alias=True, by_name=False).settings()
    except ValidationError as error:
        mistakes += explain(error, root)
    if settings is not None and not mistakes:
        looks = find_loops, find_idle_mirrors, find_lost_answers
        found = chain.from_iterable(look_at(settings.routes) for look_at in looks)
        mistakes += place(found, root)
    if settings is not None and not mistakes:
        mistakes += place(look(settings), root)
    return (None, _sorted(mistakes)) if mistakes else (settings, [])


def _sorted(mistakes: list[Mistake]) -> list[Mistake]:
    """Order by position; what follows from another mistake at the same position is not told."""
    first: dict[tuple[Position, str], Mistake] = {}
    for mistake in mistakes:
        first.setdefault((mistake.position, mistake.path), mistake)
    return sorted(first.values())
