"""YAML to nodes, within bounds: no file takes more than a moment, or the stack."""

from typing import Any

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from spliceproxy.routes_file.tree import Mistake, Position

MAX_FILE_BYTES = 256 << 10
MAX_DEPTH = 20
PLAIN = "plain"
"""The tag of what has no tag in the file. Which type a value has is for its key to say."""


class TooDeepError(Exception):
    """Lists within mappings within lists, and so on."""

    def __init__(self, position: Position) -> None:
        super().__init__()
        self.position = position


class _NodeLoader(Reader, Scanner, Parser, Composer, BaseResolver):
    """PyYAML's, up to nodes, without its idea of types."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise TooDeepError(position_of(event.start_mark))
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        return PLAIN


def position_of(mark: Any) -> Position:
    """Return the position of a mark of PyYAML's."""
    return Position(mark.line + 1, mark.column + 1)


def read_nodes(data: bytes) -> tuple[yaml.Node | None, list[Mistake]]:
    """Return the file's only document; a mistake in the syntax is the only one that is told."""
    if len(data) > MAX_FILE_BYTES:
        what = f"the file is too large: expected at most {MAX_FILE_BYTES >> 10} KiB"
        return None, [Mistake(Position(1, 1), "", what)]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        before = data[: problem.start].decode("utf-8", errors="replace")
        return None, [Mistake(_end_of(before), "", "this is not UTF-8")]
    return _compose(text)


def _compose(text: str) -> tuple[yaml.Node | None, list[Mistake]]:
    try:
        return _NodeLoader(text).get_single_node(), []
    except ReaderError as problem:
        what = f"the character U+{problem.character:04X} is not allowed"
        return None, [Mistake(_end_of(text[: problem.position]), "", what)]
    except TooDeepError as problem:
        return None, [
            Mistake(problem.position, "", f"more than {MAX_DEPTH} levels within one another")
        ]
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        return None, [Mistake(position_of(mark), "", _explain(problem))]


def _explain(problem: yaml.MarkedYAMLError) -> str:
    what = " ".join(str(problem.problem or problem.context).split())
    if "expected a single document" in str(problem.context):
        return "a second document: expected one in a file"
    if "cannot start any token" in what:
        return f"not YAML: {what}; put quotes around the text"
    return f"not YAML: {what}"


def _end_of(text: str) -> Position:
    lines = text.split("\n")
    return Position(len(lines), len(lines[-1]) + 1)
