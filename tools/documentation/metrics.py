"""`python -m tools.documentation.metrics` writes docs/metrics.md from what the proxy renders."""

from pathlib import Path

from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from spliceproxy.admin.metrics.page import render
from spliceproxy.ipc.rows import BUCKETS
from spliceproxy.observe.status import (
    BackendStatus,
    Gone,
    Histogram,
    MirrorStatus,
    RouteStatus,
    Status,
    WorkerStatus,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"

_INTRODUCTION = """\
# Metrics

This page is written by `python -m tools.documentation.metrics` from the page that the proxy
renders.

`GET /metrics` at the admin address gives the sums over all workers, as OpenMetrics where the client
accepts that, else in Prometheus' text format. Labels are names of the configuration and reasons of
the code, never anything of a client's. Counters begin with the start of the master; reloads, and
workers that die and are replaced, do not turn them back. The exception are figures of a process,
which begin with it. Bytes of open connections are counted once a second. A worker that is killed
takes with it what it moved since then. What it has left unfinished is counted as `worker_lost` (see
[workers that die](operations.md#workers-that-die)): accepted connections are always those that are
open and those that have ended, and what a mirror was offered is what it got, what was dropped, and
what is on its way.

Of routes, backends and mirrors that are gone, counters and what is still open are told for a day,
and then no more; one that comes back later counts from zero.

```yaml
scrape_configs:
  - job_name: spliceproxy
    static_configs: [{targets: ["127.0.0.1:9000"]}]   # admin: {listen: 127.0.0.1:9000, …}
    authorization: {credentials_file: /etc/prometheus/spliceproxy}   # its viewer_token
```

Prometheus scrapes addresses alone; a unix socket can be scraped through one of socat's. Times are
in seconds, sizes in bytes. A histogram has the samples `_bucket`, `_sum` and `_count`; a counter's
name ends in `_total`.

| metric | kind | labels | meaning |
|---|---|---|---|
"""


def page() -> str:
    """Return the whole page."""
    return _INTRODUCTION + "".join(map(_row, metric_families()))


def metric_families() -> list[Metric]:
    """Return what a proxy tells that has one of everything."""
    rendered = render(_one_of_everything(), Gone(), "application/openmetrics-text; version=1.0.0")
    return list(
        text_string_to_metric_families(  # type: ignore[no-untyped-call]
            rendered.body.decode()
        )
    )


def _row(family: Metric) -> str:
    suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
    labels = {label for sample in family.samples for label in sample.labels} - {"le"}
    shown = ", ".join(f"`{label}`" for label in sorted(labels))
    return f"| `{family.name}{suffix}` | {family.type} | {shown} | {family.documentation} |\n"


def _one_of_everything() -> Status:
    times = Histogram([1] * BUCKETS, 1.0)
    backend = BackendStatus("b", "up", "", 1, backup=False, connect_seconds=times)
    backend.failed = {"backend_refused": 1}
    mirror = MirrorStatus("m", "both", "detach", 1.0, "ok", dropped={"lag": 1})
    route = RouteStatus(
        "r",
        ["l"],
        "round_robin",
        [backend],
        [mirror],
        duration_seconds=times,
        certificates={"/etc/ssl/site.pem": 0.0},
    )
    backend.transitions = {"down": 1}
    route.ended, route.refused = {"closed": 1}, {"denied": 1}
    worker = WorkerStatus(0, 0, 1, 1, "serving", 0.0, 0.0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, times)
    status = Status("0", 1, 0.0, 1, False, {"success": 1}, "", "info", [worker], [route])
    status.worker_restarts, status.log_lines_dropped = {"killed": 1}, {"worker": 1}
    return status


if __name__ == "__main__":
    PAGE.write_text(page())
