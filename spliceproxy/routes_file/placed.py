"""What is wrong with routes of a file whose text is correct, by the positions in the file."""

from collections.abc import Iterable, Iterator

from spliceproxy.routes_file.references import mistake_at
from spliceproxy.routes_file.tree import Mistake, Value
from spliceproxy.settings.reach import Path


def place(found: Iterable[tuple[int, Path, str]], root: Value) -> Iterator[Mistake]:
    """Return mistakes for routes' numbers, paths within them, and messages."""
    routes = root.child("routes")
    assert routes is not None and isinstance(routes.content, tuple)  # noqa: S101, PT018 - it is correct
    for number, path, what in found:
        yield mistake_at(routes.content[number], path, what)
