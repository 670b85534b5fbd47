"""`top` for a pipe, a file, or a terminal that can do no more."""

import time
from collections.abc import Iterator

from spliceproxy.cli.columns import align
from spliceproxy.cli.top.look import AdminApi, Look, Rates, look
from spliceproxy.cli.top.summary import summarize
from spliceproxy.cli.top.views import VIEWS, View, arrange

MAX_ROWS = 20
"""Of each table, the largest first: connections may be many."""


def looks(client: AdminApi, interval_s: float, count: int) -> Iterator[str]:
    """Tell what is seen, so many times. Before the first time an interval passes, for the rates.

    Raises:
        AskingProblem: there is no answer, or it is a refusal.
    """
    before = look(client)
    for _ in range(count):
        time.sleep(interval_s)
        now = look(client)
        yield describe(now, Rates(now, before))
        before = now


def describe(seen: Look, rates: Rates) -> str:
    """Return a look as text."""
    tables = (_table(view, seen, rates) for view in VIEWS)
    return "\n\n".join(["\n".join(summarize(seen, rates)), *filter(None, tables)])


def _table(view: View, seen: Look, rates: Rates) -> str:
    rows = arrange(list(view.rows(seen, rates)), view.sorted_by, falling=True)
    if not rows:
        return ""
    text = align(view.columns, ([cell.text for cell in row] for row in rows[:MAX_ROWS]))
    left_out = len(rows) - MAX_ROWS
    return f"{text}\n… and {left_out} {view.name} more" if left_out > 0 else text
