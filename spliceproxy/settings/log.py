"""Settings of the log, and of the lines that it has for connections."""

from typing import Annotated, Literal, get_args

from pydantic import Field, PlainSerializer

from spliceproxy.settings import help_texts
from spliceproxy.settings.fields import choice, described, reads
from spliceproxy.settings.log_destination import (
    ACCESS_LOG_FORMS,
    LOG_FORMS,
    STANDARD_OUTPUT,
    WITH_THE_LOG,
    LogDestination,
    parse_access_log_destination,
    parse_log_destination,
)
from spliceproxy.settings.model import Model

LogFormat = Literal["auto", "console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)
"""From the most that is told to the least."""
AccessLogFormat = Literal["auto", "console", "json", "haproxy-tcp"]

_DESTINATION = {
    "type": "string",
    "pattern": r"^(stdout|stderr|file:/.*|syslog(:(unix:|udp://).*)?)$",
}
_ACCESS_DESTINATION = {"type": "string", "pattern": rf"^(log|none)$|{_DESTINATION['pattern']}"}

LogDestinationText = Annotated[
    LogDestination,
    reads(parse_log_destination),
    PlainSerializer(str),
    described("place", _DESTINATION),
]
AccessLogDestinationText = Annotated[
    LogDestination,
    reads(parse_access_log_destination),
    PlainSerializer(str),
    described("place", _ACCESS_DESTINATION),
]


class LogSettings(Model):
    """Where the log goes, in what form, and how much is in it."""

    to: LogDestinationText = Field(default=STANDARD_OUTPUT, description=f"{LOG_FORMS}.")
    format: Annotated[LogFormat, *choice("auto", "console", "json")] = Field(
        default="auto", description=help_texts.LOG_FORMAT
    )
    level: Annotated[LogLevel, *choice("debug", "info", "warning", "error")] = Field(
        default="info", description=help_texts.LOG_LEVEL
    )


class AccessLogSettings(Model):
    """Where the lines of connections go, and in what form."""

    to: AccessLogDestinationText = Field(
        default=WITH_THE_LOG,
        description=f"{ACCESS_LOG_FORMS}. With the log they have level info.",
    )
    format: Annotated[AccessLogFormat, *choice("auto", "console", "json", "haproxy-tcp")] = Field(
        default="auto",
        description=help_texts.ACCESS_LOG_FORMAT,
    )
