"""The tables of a soak: one line for a figure, with all proxies side by side."""

from collections.abc import Mapping, Sequence

from tools.bench.tables import NOTHING, Table
from tools.soak.books import KindCount
from tools.soak.clients import KINDS
from tools.soak.figures import Figure

OK = "ok"
Heads = tuple[str, str]
"""Of a figure's two values."""


def figures_table(title: str, heads: Heads, by_proxy: Mapping[str, Sequence[Figure]]) -> Table:
    """Put the figures of all proxies into one table; a proxy may lack some."""
    names = dict.fromkeys(figure.name for found in by_proxy.values() for figure in found)
    return Table(
        title,
        ["figure", *(f"{proxy}: {head}" for proxy in by_proxy for head in heads), "verdict"],
        [_figure_row(name, by_proxy) for name in names],
    )


def _figure_row(name: str, by_proxy: Mapping[str, Sequence[Figure]]) -> list[str]:
    cells, faults = [name], []
    for proxy, found in by_proxy.items():
        own = next((figure for figure in found if figure.name == name), None)
        cells += [NOTHING, NOTHING] if own is None else [own.before, own.after]
        if own is not None and own.fault:
            faults.append(f"{proxy}: {own.fault}")
    return [*cells, "; ".join(faults) or OK]


def connections_table(by_proxy: Mapping[str, Mapping[str, KindCount]]) -> Table:
    """Return how the connections of each kind of client went."""
    heads = ("intact", "cut by what was done", "unexplained")
    rows = []
    for kind in KINDS:
        counts = [found.get(kind.name, KindCount()) for found in by_proxy.values()]
        numbers = [(one.intact, one.explained, one.unexplained) for one in counts]
        rows.append([kind.name, *(f"{number:,}" for three in numbers for number in three)])
    shown = [f"{proxy}: {head}" for proxy in by_proxy for head in heads]
    return Table("connections by kind of client", ["client", *shown], rows)


def done_table(done: Mapping[str, int]) -> Table:
    """Return what was done to the proxies and around them."""
    rows = [[what, f"{count:,}"] for what, count in done.items()]
    return Table("what was done", ["what", "how often"], rows)
