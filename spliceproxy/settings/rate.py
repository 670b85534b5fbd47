"""How often something may happen, as users write it: `100/s`, `30/m`, `1000/h`."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, InstanceOf, PlainSerializer

from spliceproxy.errors import quote
from spliceproxy.policy.rate import Rate
from spliceproxy.settings.bounds import MAX_CONNECTIONS
from spliceproxy.settings.fields import ConnectionCount, described, reads
from spliceproxy.settings.model import Model

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_RATE = re.compile(r"([0-9]{1,8})/(s|m|h)", re.ASCII)


@dataclass(frozen=True, slots=True)
class WrittenRate:
    """So many times in each second, minute or hour: kept as it was written, to be shown so."""

    count: int
    unit: str

    def __str__(self) -> str:
        return f"{self.count}/{self.unit}"

    @property
    def per_s(self) -> float:
        """So many a second."""
        return self.count / _SECONDS[self.unit]


def parse_rate(text: str) -> WrittenRate:
    """Return how often; ValueError says what is wrong and what is expected."""
    match = _RATE.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= MAX_CONNECTIONS:
        raise ValueError(f"{quote(text)} is not a rate: expected one such as 100/s, 30/m or 1000/h")
    return WrittenRate(int(match[1]), match[2])


class RateSettings(Model):
    """How many clients are let in in which time."""

    limit: Annotated[
        InstanceOf[WrittenRate],
        reads(parse_rate),
        PlainSerializer(str),
        described("rate", {"type": "string", "pattern": "^[0-9]+/[smh]$"}),
    ] = Field(description="So many in each second, minute or hour: `100/s`, `30/m`, `1000/h`.")
    burst: ConnectionCount | None = Field(
        default=None,
        description="So many at once after a pause. Without it: the number in `limit`.",
    )

    @property
    def rate(self) -> Rate:
        """The same as the policy takes it."""
        return Rate(self.limit.per_s, self.burst or self.limit.count)
