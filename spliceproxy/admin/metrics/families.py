"""Families of metrics, with the project's prefix."""

from collections.abc import Iterable

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from spliceproxy.ipc.rows import bucket_bound_us
from spliceproxy.observe.status import Histogram

PREFIX = "spliceproxy_"

Labels = tuple[str, ...]


def counter(name: str, text: str, labels: Labels = ()) -> CounterMetricFamily:
    """Make what only grows; `_total` is added to its name."""
    return CounterMetricFamily(PREFIX + name, text, labels=labels)


def gauge(name: str, text: str, labels: Labels = ()) -> GaugeMetricFamily:
    """Make what goes up and down."""
    return GaugeMetricFamily(PREFIX + name, text, labels=labels)


def by_label(
    family: CounterMetricFamily | GaugeMetricFamily,
    values: Iterable[tuple[Labels, dict[str, int]]],
) -> Metric:
    """Fill in values by the labels, of which the last one differs within a mapping."""
    for labels, by_last_label in values:
        for last_label, value in by_last_label.items():
            family.add_metric([*labels, last_label], value)
    return family


def histogram(
    name: str, text: str, labels: Labels, values: Iterable[tuple[Labels, Histogram]]
) -> Metric:
    """Make the distribution of how long something took."""
    family = HistogramMetricFamily(PREFIX + name, text, labels=labels)
    for label_values, measured in values:
        buckets = []
        so_far = 0
        for number, count in enumerate(measured.counts):
            so_far += count
            bound_us = bucket_bound_us(number)
            buckets.append(("+Inf" if bound_us is None else repr(bound_us / 1e6), so_far))
        if buckets:
            family.add_metric(list(label_values), buckets, measured.sum_s)
    return family
