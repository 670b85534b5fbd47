"""Imports go downwards only, and no file's code grows beyond one sitting."""

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import spliceproxy

PACKAGE = Path(spliceproxy.__file__).parent

LAYERS = (
    {"cli"},
    {"doctor", "serving", "replay"},
    {"master"},
    {"admin", "proxy", "compare"},
    {"sinks", "upstream", "observe", "capture"},
    {"tap", "pacing", "ipc", "routes_file", "framing", "tls"},
    {"pump", "settings"},
    {"loop", "policy"},
    {"kernel"},
    {"formats"},
    {"errors", "reasons"},
)
"""A room imports from itself and from those below; not from its neighbours in a layer."""

MOST_CODE_LINES = 250
"""In a file. What explains the code doesn't count: else it would push files apart."""

NO_CODE = frozenset(
    {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
)

FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def depth(name: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if name in layer)


def imported_modules(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            module = node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imported_rooms(path: Path) -> set[str]:
    modules = [module.split(".") for module in imported_modules(path)]
    inner = {parts[1] for parts in modules if parts[0] == "spliceproxy" and len(parts) > 1}
    return inner - {"__version__"}


def explained_lines(source: str) -> set[int]:
    """Lines of docstrings, of whatever they explain."""
    return {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def count_code_lines(source: str) -> int:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {
        line
        for token in tokens
        if token.type not in NO_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(lines - explained_lines(source))


def test_every_room_has_its_layer() -> None:
    known = set().union(*LAYERS)
    assert {room(path) for path in FILES} - {"__init__", "__main__"} <= known


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_downwards_only(path: Path) -> None:
    own = room(path)
    if own in {"__init__", "__main__"}:
        return
    upwards = {
        other for other in imported_rooms(path) if other != own and depth(other) <= depth(own)
    }
    assert not upwards


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_are_short(path: Path) -> None:
    assert count_code_lines(path.read_text()) <= MOST_CODE_LINES


def test_what_explains_is_no_code() -> None:
    source = '''"""What it is."""

SIZE = (  # as the kernel's
    # two lines
    4096
)
"""In bytes."""


def size() -> int:
    """Return it.

    At length.
    """
    return SIZE
'''
    assert count_code_lines(source) == 5
