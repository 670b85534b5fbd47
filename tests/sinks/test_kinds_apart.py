"""Only the files of the kinds tell one kind of mirror from another."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import spliceproxy
from spliceproxy.settings.mirror_kinds.kind import MirrorKind
from spliceproxy.settings.mirror_kinds.table import KINDS
from spliceproxy.sinks.kinds import SINKS
from spliceproxy.sinks.outlet import Outlet
from spliceproxy.sinks.sink import Sink

PACKAGE = Path(spliceproxy.__file__).parent
OWN_FILES = {sink.__module__.rpartition(".")[2] + ".py" for sink in SINKS.values()}
# Places of the log have kinds too, records of captures, steps of replays: no sinks among them.
OTHER_KINDS = ("observe", "settings/log_", "capture/", "formats/capture/", "replay/")


def is_own(path: str) -> bool:
    """Whether that is a file of one kind."""
    room, _, name = path.rpartition("/")
    return room == "settings/mirror_kinds" or (room == "sinks" and name in OWN_FILES)


def subclasses(base: type[Any]) -> Iterator[str]:
    for each in base.__subclasses__():
        yield each.__name__
        yield from subclasses(each)


CLASSES = {*subclasses(Outlet), *subclasses(Sink), *subclasses(MirrorKind)}


def names_kinds(node: ast.expr) -> bool:
    """Whether it is the name of a kind, or a collection with one."""
    return any(isinstance(n, ast.Constant) and n.value in KINDS for n in ast.walk(node))


def is_kind(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "kind"


def is_other_enumeration(node: ast.expr) -> bool:
    """Whether it is a kind of a counters' row."""
    return ast.unparse(node).startswith("Kind.")


def is_kind_check(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        if all(is_kind(side) for side in sides):
            return False  # whether two are alike, whatever they are
        if any(is_kind(side) for side in sides):
            return not any(is_other_enumeration(side) for side in sides if not is_kind(side))
        named = [ast.unparse(side) for side in sides if not isinstance(side, ast.Constant)]
        return any("kind" in name for name in named) and any(map(names_kinds, sides))
    if isinstance(node, ast.Match):
        return is_kind(node.subject)
    if isinstance(node, ast.Dict):
        keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
        return len(keys & KINDS.keys()) >= 2 and keys <= KINDS.keys()
    if isinstance(node, ast.Call) and ast.unparse(node.func) in {"isinstance", "issubclass"}:
        return bool(CLASSES & set(re.findall(r"\w+", ast.unparse(node.args[1]))))
    return False


def find_checks(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if is_kind_check(node):
            yield ast.unparse(node)


FILES = [
    path
    for path in sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))
    if not is_own(path) and not path.startswith(OTHER_KINDS)
]


@pytest.mark.parametrize("path", FILES)
def test_nobody_else_asks_for_a_kind(path: str) -> None:
    assert list(find_checks((PACKAGE / path).read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "mirror.kind == 'file'",
        "branch.settings.kind != FileKind.name",
        "mirror.kind in {'tcp', 'unix'}",
        "'exec' in kinds",
        "kind == 'exec'",
        "{'file': 1, 'null': 0}",
        "isinstance(branch.outlet, StreamOutlet | NoOutlet)",
        "isinstance(outlet, (file_outlet.FileOutlet,))",
        "isinstance(mirror.sink, ExecSink)",
        "match mirror.kind:\n    case 'file': pass",
    ],
)
def test_a_check_is_seen(source: str) -> None:
    assert list(find_checks(source))
