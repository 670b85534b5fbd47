"""What Telegraf's haproxy input accepts of `show stat`, and what it makes of it.

After plugins/inputs/haproxy/haproxy.go of github.com/influxdata/telegraf: the header begins with
"# ", each row has as many columns as it, `type` is a number below 4, some columns are texts, and
what is no unsigned number in another column is left out in silence.
"""

import csv
import io
from dataclasses import dataclass

KINDS = ("frontend", "backend", "server", "listener")
_TEXTS = "status check_status last_chk mode tracked agent_status last_agt addr cookie"
TEXTS = frozenset(_TEXTS.split())
IGNORED = frozenset({"check_desc", "agent_desc"})


@dataclass
class Metric:
    tags: dict[str, str]
    fields: dict[str, object]
    lost: list[str]
    """Columns whose value is none that it can read."""


def gather(answer: str) -> list[Metric]:
    # Go's reader skips empty lines, and demands of each row what the first one had.
    header, *rows = (row for row in csv.reader(io.StringIO(answer), strict=True) if row)
    assert header[0].startswith("# ")
    header[0] = header[0][2:]
    return [_metric(header, row) for row in rows]


def _metric(header: list[str], row: list[str]) -> Metric:
    assert len(row) == len(header)
    metric = Metric({}, {}, [])
    for name, value in zip(header, row, strict=True):
        if not value or name in IGNORED:
            continue
        if name in ("pxname", "svname"):
            metric.tags[name] = value
        elif name == "type":
            metric.tags[name] = KINDS[int(value)]
        elif name in TEXTS:
            metric.fields[name] = value
        elif value.isascii() and value.isdecimal():
            metric.fields[name] = int(value)
        else:
            metric.lost.append(name)
    return metric
