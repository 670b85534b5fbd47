"""No input crashes the reader, or takes more than a moment."""

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spliceproxy.routes_file.load import read_settings
from spliceproxy.routes_file.nodes import MAX_FILE_BYTES
from spliceproxy.routes_file.show import show

MOST_S = 10.0  # of the processor, slowed down by others; nothing takes a third of it alone
MOST_BYTES = 400 << 20

WORDS = [
    "routes",
    "listen",
    "backends",
    "address",
    "mirrors",
    "to",
    "timeouts",
    "idle",
    "connect",
    "defaults",
    "log",
    "level",
    "name",
    "sni",
    "alpn",
    "names",
    "route",
    "allow",
    "rate",
    "trusted",
    "10.0.0.0/8",
    "10/s",
    "a",
    "80",
    "b:1",
    "file:/a",
    "exec:cat",
    "null:?sample=10%",
    "10%",
    "5s",
    "64KiB",
    "auto",
    "on",
    "017",
    "~",
    "${A}",
    "${B:-1}",
    "$${",
    "unix:/a",
    "<<",
]
PIECES = st.sampled_from(
    [
        *WORDS,
        ":",
        ": ",
        "\n",
        "\n- ",
        "\n  ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&a ",
        "*a",
        "!a ",
        "!!str ",
        "'",
        '"',
        "|\n",
        ">\n",
        "#",
        "\t",
        "---\n",
        "? ",
        "\\",
        "%",
        "@",
        "\x00",
        "\ud7ff",
        "é",
    ]
)
SCALARS = st.none() | st.sampled_from(WORDS) | st.text(max_size=8)
TREES = st.recursive(
    SCALARS,
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), below, max_size=4)
    ),
    max_leaves=30,
)


def check(data: bytes) -> None:
    read, mistakes = read_settings(data, {"A": "1, b: [2]"})
    assert (read is None) == bool(mistakes)
    assert mistakes == sorted(mistakes)
    for mistake in mistakes:
        line = mistake.line("routes.yaml")
        assert len(line.splitlines()) == 1
        assert len(line) < 2000
        assert mistake.position.line >= 1
        assert mistake.position.column >= 1
    if read is not None:
        assert read_settings(show(read).encode(), {}) == (read, [])


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    check(data)


@given(st.lists(PIECES, max_size=60).map("".join))
def test_pieces_of_yaml(text: str) -> None:
    check(text.encode())


@given(TREES)
def test_any_values(tree: object) -> None:
    check(flow(tree).encode(errors="replace"))


@given(st.fixed_dictionaries({"routes": st.lists(TREES, max_size=3), "defaults": TREES}))
@settings(max_examples=50)
def test_any_values_where_routes_are_expected(tree: object) -> None:
    check(flow(tree).encode(errors="replace"))


def flow(tree: object) -> str:
    if isinstance(tree, dict):
        return "{" + ", ".join(f"? {flow(key)} : {flow(tree[key])}" for key in tree) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(flow, tree)) + "]"
    return "~" if tree is None else "'" + str(tree).replace("'", "''") + "'"


def laughs() -> str:
    levels = (
        f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]" for number in range(1, 30)
    )
    return "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x]", *levels])


BOMBS = {
    "laughs": laughs(),
    "itself": "a: &a [*a]",
    "itself as a mapping": "&a {routes: [*a], defaults: *a}",
    "lists": "[" * MAX_FILE_BYTES,
    "mappings": "{a: " * (MAX_FILE_BYTES // 4),
    "block lists": "- " * (MAX_FILE_BYTES // 2),
    "complex keys": "? " * (MAX_FILE_BYTES // 2),
    "indents": "\n".join(" " * depth + "a:" for depth in range(600)),
    "items": f"[{'a,' * 120_000}]",
    "keys": "".join(f"k{number}: 1\n" for number in range(24_000)),
    "the same key": "a: 1\n" * 50_000,
    "routes": "routes:\n" + "- {}\n" * 24_000,
    "mistaken routes": "routes:\n" + "- {a: , b: }\n" * 12_000,
    "defaults of many routes": "defaults:\n"
    + "".join(f" k{number}: 1\n" for number in range(10_000))
    + "routes:\n"
    + "- {}\n" * 14_000,
    "listeners": f"routes: [{{listen: [{'1.1.1.1:1,' * 24_000}]}}]",
    "listeners and wildcards": "routes: [{listen: ["
    + "".join(f"1.{n >> 8}.{n & 255}.1:1, " for n in range(12_000))
    + "1, 1, 1]}]",
    "variables": "a: [" + "'${A}'," * 24_000 + "]",
    "a text": f"a: '{'x' * 250_000}'",
    "an open text": "a: '" + "\n" * 250_000,
    "lines of a text": "a: |\n" + " x\n" * 80_000,
    "a long key": "? " + "a" * 250_000,
    "digits": "workers: " + "9" * 250_000,
    "zeros": "workers: " + "0" * 250_000,
    "a host": "routes: [{listen: '" + "ä" * 100_000 + ":80'}]",
    "tags": "!" * 250_000,
    "directives": "%a\n" * 60_000,
    "documents": "---\n" * 60_000,
    "anchors": "".join(f"- &a{number} x\n" for number in range(15_000)),
    "escapes": '"' + "\\x41" * 60_000 + '"',
    "server names": "routes: [{sni: {names: ["
    + "".join(f"n{number}, " for number in range(30_000))
    + "]}}]",
    "networks": "routes: [{"
    + ", ".join(
        f"{key}: [" + "".join(f"10.{n >> 8}.{n & 255}.1, " for n in range(10_000)) + "]"
        for key in ("allow", "deny")
    )
    + "}]",
    "routes that lead nowhere": "routes:\n"
    + "".join(f"- {{name: a{n}, sni: {{route: b{n}}}}}\n" for n in range(8_000)),
    "options": f"routes: [{{mirrors: ['exec:{'a?b=1&' * 40_000}']}}]",
}


HEAVY = {
    "items",
    "keys",
    "the same key",
    "routes",
    "mistaken routes",
    "defaults of many routes",
    "listeners",
    "networks",
    "server names",
    "routes that lead nowhere",
    "variables",
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in HEAVY else ()) for name in BOMBS],
)
@pytest.mark.timeout(180)  # other tests may take most of the processor meanwhile
def test_bombs_do_not_go_off(name: str) -> None:
    data = BOMBS[name].encode()[:MAX_FILE_BYTES]
    started_s = time.process_time()
    settings, mistakes = read_settings(data, {"A": "x" * 100_000})
    assert time.process_time() - started_s < MOST_S
    assert settings is None
    assert mistakes


MEASURE = """
import sys
from pathlib import Path
from spliceproxy.routes_file.load import read_settings

def status_bytes(key):
    line = next(line for line in open("/proc/self/status") if line.startswith(key))
    return int(line.split()[1]) << 10

data = sys.stdin.buffer.read()
before = status_bytes("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew: proc_pid_clear_refs(5)
read_settings(data, {"A": "x" * 100_000})
print(status_bytes("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["laughs", "routes", "variables", "defaults of many routes"])
@pytest.mark.timeout(180)  # other tests may take most of the processor meanwhile
def test_bombs_take_bounded_memory(name: str) -> None:
    """In a process of its own, whose memory nothing else has grown."""
    data = BOMBS[name].encode()[:MAX_FILE_BYTES]
    process = subprocess.run(
        [sys.executable, "-c", MEASURE], input=data, stdout=subprocess.PIPE, check=True
    )
    assert 0 < int(process.stdout) < MOST_BYTES
