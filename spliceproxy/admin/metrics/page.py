"""The metrics page: the proxy's status as OpenMetrics."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from spliceproxy.admin.messages import Response
from spliceproxy.admin.metrics.families import PREFIX, counter, gauge, histogram
from spliceproxy.admin.metrics.processes import process_metrics
from spliceproxy.admin.metrics.routes import (
    backend_metrics,
    certificate_metrics,
    mirror_metrics,
    route_metrics,
)
from spliceproxy.observe.status import Gone, Status


def render(status: Status, gone: Gone, accept: str) -> Response:
    """Render a status, in the format that a client accepts: OpenMetrics, or the one before it.

    Takes 10 us a line: not for a process that relays.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Page(status, gone))
    encode, content_type = choose_encoder(accept)
    return Response(200, encode(registry), content_type)


class _Page(Collector):
    def __init__(self, status: Status, gone: Gone) -> None:
        self._status = status
        self._gone = gone

    def collect(self) -> Iterator[Metric]:
        yield from _proxy(self._status)
        for metrics in (route_metrics, certificate_metrics, backend_metrics, mirror_metrics):
            yield from metrics(self._status.routes, self._gone)
        yield from _workers(self._status)
        yield from process_metrics(self._status)


def _proxy(status: Status) -> Iterator[Metric]:
    info = InfoMetricFamily(PREFIX + "build", "The version that runs.")
    info.add_metric([], {"version": status.version})
    yield info
    reloads = counter("config_reloads", "Reloads of the configuration by outcome.", ("result",))
    for result, count in status.reloads.items():
        reloads.add_metric([result], count)
    yield reloads
    hurried = counter(
        "generations_hurried",
        "Earlier generations that had to end early, as reloads had left too many.",
    )
    hurried.add_metric([], status.generations_hurried)
    yield hurried
    lost = counter("worker_restarts", "Workers that ended untold, by cause.", ("cause",))
    for cause, count in status.worker_restarts.items():
        lost.add_metric([cause], count)
    yield lost
    admin = counter("admin_restarts", "Admin processes that ended untold.")
    admin.add_metric([], status.admin_restarts)
    yield admin
    lines = counter("log_lines_dropped", "Log lines that were not written.", ("process",))
    for process, count in status.log_lines_dropped.items():
        lines.add_metric([process], count)
    yield lines
    for name, text, value in (
        (
            "config_last_reload_successful",
            "Whether the last reload was accepted.",
            not status.last_reload,
        ),
        ("draining", "Whether the proxy is about to end.", status.draining),
        ("workers", "Worker processes, those that drain included.", len(status.workers)),
        ("start_time_seconds", "When the proxy was started, since 1970.", status.started),
        ("shared_rows", "Rows of the shared table that are in use.", status.shared_rows),
        ("shared_rows_limit", "Rows that may be in use.", status.shared_rows_limit),
    ):
        family = gauge(name, text)
        family.add_metric([], float(value))
        yield family
    refused = counter("shared_rows_refused", "Names for which the shared table had no row.")
    refused.add_metric([], status.shared_rows_refused)
    yield refused


def _workers(status: Status) -> Iterator[Metric]:
    labels = ("worker",)
    for name, text, field in (
        ("pipes_in_use", "Pipes that hold bytes.", "pipes_in_use"),
        ("pipes_idle", "Pipes that wait for the next bytes.", "pipes_idle"),
        ("pipe_capacity_bytes", "Room in all pipes.", "pipes_bytes"),
        ("mirror_pipes_in_use", "Pipes that hold copies.", "mirror_pipes_in_use"),
        ("mirror_pipes_idle", "Pipes that wait for the next copies.", "mirror_pipes_idle"),
        ("mirror_pipe_capacity_bytes", "Room in all pipes of mirrors.", "mirror_pipes_bytes"),
        ("mirror_held_bytes", "Copies in memory and pipes, of all mirrors.", "mirror_held_bytes"),
        ("mirror_budget_bytes", "As much may mirrors hold.", "mirror_budget_bytes"),
        ("worker_heartbeat_age_seconds", "Since a worker last showed life.", "heartbeat_age_s"),
        ("worker_connections_active", "Connections of a worker.", "connections"),
    ):
        family = gauge(name, text, labels)
        for worker in status.workers:
            family.add_metric([str(worker.slot)], getattr(worker, field))
        yield family
    yield histogram(
        "reactor_batch_seconds",
        "How long a batch of events took.",
        labels,
        (((str(worker.slot),), worker.batch_seconds) for worker in status.workers),
    )
