"""The settings of what judges the health of backends."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from spliceproxy.settings.bounds import count_up_to, duration_within
from spliceproxy.settings.escapes import format_escaped, read_bytes
from spliceproxy.settings.fields import (
    TIME_SCHEMA,
    WRITES_DURATION,
    Flag,
    choice,
    described,
    reads,
)
from spliceproxy.settings.model import Model, key
from spliceproxy.settings.written import WrittenBytes, keeps_written

MAX_COUNT = 100


def _write_bytes(data: bytes) -> Any:
    return data.written if isinstance(data, WrittenBytes) else format_escaped(data)


OnDown = Literal["keep", "close"]
CheckEnd = Literal["fin", "reset"]

_HEX_SCHEMA = {
    "type": "object",
    "properties": {"hex": {"type": "string", "pattern": r"^\s*([0-9A-Fa-f]{2}\s*)+$|\$\{"}},
    "required": ["hex"],
    "additionalProperties": False,
}
Count = Annotated[
    int,
    reads(count_up_to(MAX_COUNT)),
    described("number", {"type": "integer", "minimum": 1, "maximum": MAX_COUNT}),
]
Bytes = Annotated[
    bytes,
    BeforeValidator(keeps_written(read_bytes)),
    PlainSerializer(_write_bytes),
    described("text with escapes, or `{hex: …}`", {"type": "string"}, _HEX_SCHEMA),
]
CheckInterval = Annotated[
    float, reads(duration_within(0.05, 3600.0)), WRITES_DURATION, described("duration", TIME_SCHEMA)
]
CheckTimeout = Annotated[
    float, reads(duration_within(0.01, 60.0)), WRITES_DURATION, described("duration", TIME_SCHEMA)
]
EjectionTime = Annotated[
    float, reads(duration_within(0.1, 3600.0)), WRITES_DURATION, described("duration", TIME_SCHEMA)
]


class HealthCheckSettings(Model):
    """How backends are checked: by a connect, and by what they answer if that is given."""

    type: Annotated[Literal["tcp"], *choice("tcp")] = Field(
        default="tcp", description="How to connect."
    )
    send: Bytes = Field(
        default=b"",
        description="Send this first: text with `\\r`, `\\n`, `\\t`, `\\\\` and, in single "
        'quotes, `\\x00`; or any bytes, as in `{hex: "16 03 01"}`.',
    )
    expect: Bytes = Field(
        default=b"",
        description="The answer has to begin with this. Without it a connect is enough.",
    )
    interval_s: CheckInterval = key(
        "interval", "From one check to the next, a tenth more or less.", default=2.0
    )
    timeout_s: CheckTimeout = key(
        "timeout", "A check that takes longer, at one address, has failed.", default=1.0
    )
    rise: Count = Field(default=2, description="Checks passed in a row that bring a backend up.")
    fall: Count = Field(default=3, description="Checks failed in a row that bring it down.")
    close: Annotated[CheckEnd, *choice("fin", "reset")] = Field(
        default="fin",
        description="How a check's connection ends. `fin`: its end of the stream, what is left of "
        "the answer is read; `reset`: at once, which leaves no TIME_WAIT behind.",
    )

    @model_validator(mode="after")
    def _check_expect(self) -> Self:
        if self.send and not self.expect:
            raise ValueError("nothing is expected of what 'send' sends: expected 'expect' with it")
        return self


class EjectionSettings(Model):
    """When a backend that connects fail to reach gets none for a while."""

    enabled: Flag = Field(default=True, description="false: never.")
    after: Count = Field(default=3, description="Connects failed in a row that eject it.")
    first_s: EjectionTime = key(
        "first", "How long for; twice that if it fails again at once, and so on.", default=5.0
    )
    longest_s: EjectionTime = key("longest", "But never longer than this.", default=300.0)

    @model_validator(mode="after")
    def _check_longest(self) -> Self:
        if self.longest_s < self.first_s:
            raise ValueError("'longest' is shorter than 'first': expected the same or longer")
        return self
