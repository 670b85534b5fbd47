"""What is wrong with routes of a file whose text is correct, by the positions in the file."""

from collections.abc import Iterable, Iterator

from spliceproxy.routes_file.references import mistake_at
from spliceproxy.routes_file.tree import Mistake, Value
from spliceproxy.settings.reach import Path


def place(found: Iterable[tuple[int | None, Path, str]], root: Value) -> Iterator[Mistake]:
    """Return mistakes for routes' numbers, paths within them, and messages.

    What has no number has a path from the file's root.
    """
    routes = root.child("routes")
    assert routes is not None and isinstance(routes.content, tuple)  # noqa: S101, PT018 - it is correct
    for number, path, what in found:
        yield mistake_at(root if number is None else routes.content[number], path, what)
