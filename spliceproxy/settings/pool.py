"""The settings of a route's backends as a whole."""

from typing import Annotated

from pydantic import Field

from spliceproxy.policy.balance.names import BALANCE_NAMES, BalanceName
from spliceproxy.settings.bounds import MAX_RETRIES, count_up_to, duration_within, parse_retries
from spliceproxy.settings.fields import (
    TIME_SCHEMA,
    WRITES_DURATION,
    Timeout,
    choice,
    described,
    reads,
)
from spliceproxy.settings.health import EjectionSettings, HealthCheckSettings, OnDown
from spliceproxy.settings.model import Model, key
from spliceproxy.settings.shapes import Shorthand

MAX_QUEUE = 1_000_000

Retries = Annotated[
    int,
    reads(parse_retries),
    described("number", {"type": "integer", "minimum": 0, "maximum": MAX_RETRIES}),
]
QueueSize = Annotated[
    int,
    reads(count_up_to(MAX_QUEUE)),
    described("number", {"type": "integer", "minimum": 1, "maximum": MAX_QUEUE}),
]
ResolveInterval = Annotated[
    float,
    reads(duration_within(0.1, 86_400.0)),
    WRITES_DURATION,
    described("duration", TIME_SCHEMA),
]


class QueueSettings(Model):
    """Clients that wait because every backend that can be reached is full."""

    timeout_s: Timeout = key("timeout", "Turn a client away after this.", default=10.0)
    size: QueueSize = Field(
        default=1024,
        description="Clients that may wait, in all workers together; further ones are turned away.",
    )


class PoolSettings(Model):
    """How connections are spread over a route's backends."""

    balance: Annotated[BalanceName, *choice(*BALANCE_NAMES)] = Field(
        default="round_robin",
        description="Which backend is tried first; `source_hash` goes by the client's address.",
    )
    health_check: Annotated[HealthCheckSettings | None, Shorthand("type")] = Field(
        default=None,
        description="Check the backends: `tcp` or `{}` by a connect, or a mapping. Without it: no "
        "checks.",
    )
    ejection: Annotated[EjectionSettings, Shorthand("enabled", "boolean")] = Field(
        default=EjectionSettings(),
        description="Give a backend that connects fail to reach none for a while; `false`: never.",
    )
    on_down: Annotated[OnDown, *choice("keep", "close")] = Field(
        default="keep", description="What becomes of the connections of a backend that goes down."
    )
    retries: Retries | None = Field(
        default=None,
        description="Further backends to try when a connect fails. Without it: each of them, once.",
    )
    queue: QueueSettings = Field(
        default=QueueSettings(), description="Waiting for a backend that has room."
    )
    resolve_interval_s: ResolveInterval | None = key(
        "resolve_interval",
        "How often names are looked up again. Without it: as long as the answer is valid, 1s to "
        "1h, where a name server says so, and else 30s.",
        default=None,
    )
