"""The settings of a proxy, complete and checked, whatever they were read from.

These models are also what a routes file looks like: a field's alias is its key there. A program
uses the names of the fields, which have their units.
"""

from typing import Annotated

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from spliceproxy.kernel.cpus import usable_cpus
from spliceproxy.settings import help_texts
from spliceproxy.settings.address import UnixAddress
from spliceproxy.settings.admin import AdminSettings
from spliceproxy.settings.admission import AdmissionSettings
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.dns import BackendPlace, DnsSettings
from spliceproxy.settings.fields import (
    Backlog,
    ConnectionCount,
    DrainTimeout,
    Flag,
    GenerationCount,
    HangTimeout,
    Name,
    Size,
    Workers,
)
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.listen_address import LISTEN_FORMS, ListenAddress
from spliceproxy.settings.log import AccessLogSettings, LogSettings
from spliceproxy.settings.mirror_entry import MirrorEntry
from spliceproxy.settings.model import key
from spliceproxy.settings.pool import PoolSettings
from spliceproxy.settings.preamble import PreambleSettings
from spliceproxy.settings.privileges import PrivilegeSettings
from spliceproxy.settings.sample_key import SampleKey
from spliceproxy.settings.shapes import NotEmpty, OneOrMany, Shorthand
from spliceproxy.settings.stats_socket import StatsSocketSettings
from spliceproxy.settings.timeouts import Timeouts
from spliceproxy.settings.tls import FilePath


class RouteDefaults(AdmissionSettings, PoolSettings):
    """What routes may have in common."""

    backlog: Backlog = Field(
        default=4096,
        description=help_texts.BACKLOG,
    )
    max_connections: ConnectionCount | None = Field(
        default=None,
        description="Connections of a route in all workers together; above it new ones wait in "
        "the backlog. Without it: as many as the file limit allows, in each worker.",
    )
    timeouts: Timeouts = Field(default=Timeouts(), description="How long to wait for what.")
    mirrors: Annotated[tuple[MirrorEntry, ...], OneOrMany()] = Field(
        default=(), description="Where to copy the traffic to; see [mirroring](mirroring.md)."
    )


class RouteSettings(PreambleSettings, RouteDefaults):
    """Listeners, and where the clients that they accept are forwarded to."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["backends"]}, {"required": ["listen", "sni"]}]}
    )

    name: Name = Field(default="default", description="Names the route in the log.")
    listen: Annotated[
        tuple[
            Annotated[ListenSettings, Shorthand("address", "string", "integer")],
            ...,
        ],
        NotEmpty(),
        OneOrMany(),
    ] = Field(
        default=(),
        description=f"Where to accept, once or as a list: {LISTEN_FORMS}. {help_texts.ANY_ADDRESS} "
        "May be left out where the `sni` of another route leads here.",
    )
    backends: Annotated[
        tuple[Annotated[BackendSettings, Shorthand("address")], ...],
        NotEmpty(),
        OneOrMany(),
    ] = Field(
        default=(),
        description="Where to forward, as a list of addresses, or of mappings; see [backends, "
        "each](#backends-each). A connection goes to another one when a connect fails. May be "
        "left out where `sni` leads elsewhere.",
    )

    @field_validator("listen")
    @classmethod
    def _hellos_come_first(
        cls, listen: tuple[ListenSettings, ...], info: ValidationInfo
    ) -> tuple[ListenSettings, ...]:
        if info.data.get("sni") and any(each.tls and each.tls.starttls for each in listen):
            raise ValueError(
                "with `sni` a connection begins with a TLS hello: expected no `starttls`"
            )
        if info.data.get("accept_proxy") and any(_is_abstract(each.address) for each in listen):
            raise ValueError(
                "whoever shares its network namespace may connect to an abstract socket, and could "
                "name any address: expected no `accept_proxy`, or unix:PATH"
            )
        return listen

    @property
    def addresses(self) -> tuple[BackendPlace, ...]:
        """The addresses of the backends, as they were written."""
        return tuple(backend.address for backend in self.backends)


def _is_abstract(address: ListenAddress) -> bool:
    return isinstance(address, UnixAddress) and address.is_abstract


class Settings(PrivilegeSettings):
    """All routes, and what their workers share."""

    workers: Workers = Field(
        default_factory=usable_cpus,
        json_schema_extra={"default": "auto"},
        description=help_texts.WORKERS,
    )
    drain_timeout_s: DrainTimeout = key(
        "drain_timeout",
        help_texts.DRAIN_TIMEOUT,
        default=30.0,
    )
    drain_delay_s: DrainTimeout = key(
        "drain_delay",
        help_texts.DRAIN_DELAY,
        default=0.0,
    )
    reload_drain_timeout_s: DrainTimeout = key(
        "reload_drain_timeout",
        help_texts.RELOAD_DRAIN_TIMEOUT,
        default=86_400.0,
    )
    max_generations: GenerationCount = Field(default=8, description=help_texts.MAX_GENERATIONS)
    hang_timeout_s: HangTimeout = key(
        "hang_timeout",
        "A worker that shows no life for this long is killed and replaced; its connections are "
        "lost, and named in the log. 0s: never.",
        default=10.0,
    )
    splice: Flag = Field(
        default=True,
        description="Move bytes inside the kernel; false copies them through the process.",
    )
    raise_nofile: Flag = Field(
        default=True,
        description=help_texts.RAISE_NOFILE,
    )
    strict_names: Flag = Field(
        default=False,
        description=help_texts.STRICT_NAMES,
    )
    mirror_budget_bytes: Size | None = key(
        "mirror_budget",
        f"{help_texts.MIRROR_BUDGET} Without it: {help_texts.MIRROR_BUDGET_DEFAULT}.",
        default=None,
    )
    sample_key: SampleKey | None = Field(
        default=None,
        repr=False,
        description="What the samples of mirrors are drawn with, a secret or `file:/PATH`. Proxies "
        "with the same key sample the same clients. Without it: a key of this machine's own.",
    )
    admin: Annotated[AdminSettings, Shorthand("listen", "string", "array")] = Field(
        default=AdminSettings(),
        description="The admin interface; without an address there is none.",
    )
    stats_socket: Annotated[StatsSocketSettings | None, Shorthand("address")] = Field(
        default=None,
        description="Answer to HAProxy's tools, such as hatop and Telegraf, on this unix socket: "
        "unix:PATH, or a mapping with its mode, owner and group.",
    )
    dns: DnsSettings = Field(
        default=DnsSettings(), description="How backends' names are looked up."
    )
    log: LogSettings = Field(default=LogSettings(), description="Where to log, how, and how much.")
    access_log: Annotated[AccessLogSettings, Shorthand("to", "string", "boolean")] = Field(
        default=AccessLogSettings(),
        description="Where the lines of connections go, a log destination or a mapping; false: "
        "nowhere. See [access log](access-log.md).",
    )
    tls_key_log: FilePath | None = Field(
        default=None,
        description="Write the secrets of all TLS connections to this file, in the NSS format, for "
        "Wireshark and the like. Whoever has it can read what was recorded.",
    )
    routes: Annotated[tuple[RouteSettings, ...], NotEmpty()] = Field(
        description="What is forwarded where."
    )
