"""What a routes file looks like: the settings, and what its routes have in common."""

from typing import Any, get_args

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from spliceproxy.settings.admin import AdminSettings
from spliceproxy.settings.admission import PerClientSettings
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.bandwidth import BandwidthSettings
from spliceproxy.settings.dns import DnsSettings
from spliceproxy.settings.health import EjectionSettings, HealthCheckSettings
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.log import AccessLogSettings, LogSettings
from spliceproxy.settings.pool import QueueSettings
from spliceproxy.settings.proxy import RouteDefaults, RouteSettings, Settings
from spliceproxy.settings.rate import RateSettings
from spliceproxy.settings.sni import SniSettings
from spliceproxy.settings.stats_socket import StatsSocketSettings
from spliceproxy.settings.timeouts import Timeouts
from spliceproxy.settings.tls import CertificateSettings, ClientRules, TlsDial, TlsListen


class RoutesFile(Settings):
    """Routes of a spliceproxy, and what their workers share."""

    defaults: RouteDefaults = Field(
        default=RouteDefaults(),
        description="For each route that says nothing else. Mappings are merged key by key; lists "
        "are replaced as a whole.",
    )

    def settings(self) -> Settings:
        """Return the settings alone: the defaults are in the routes already."""
        fields = {name: value for name, value in self if name != "defaults"}
        return Settings(**fields)


MODELS: tuple[type[BaseModel], ...] = (
    RoutesFile,
    AdminSettings,
    StatsSocketSettings,
    LogSettings,
    AccessLogSettings,
    RouteSettings,
    ListenSettings,
    RouteDefaults,
    ListenSettings,
    TlsListen,
    CertificateSettings,
    ClientRules,
    Timeouts,
    BackendSettings,
    TlsDial,
    QueueSettings,
    HealthCheckSettings,
    EjectionSettings,
    DnsSettings,
    RateSettings,
    PerClientSettings,
    BandwidthSettings,
    SniSettings,
)
"""All mappings that there are in a file, save those of mirrors."""


def fields_by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields by what they are called in a file."""
    fields = model.model_fields.items()
    return {str(field.validation_alias or name): field for name, field in fields}


def keys_at(location: tuple[str | int, ...]) -> list[str]:
    """Return the keys that a mapping at this location in a file may have."""
    model: type[BaseModel] = RoutesFile
    for step in location:
        if isinstance(step, str):
            model = model_in(fields_by_key(model)[step].annotation) or model
    return list(fields_by_key(model))


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model within a field's type, as in a tuple of routes."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (model_in(part) for part in get_args(annotation))
    return next(filter(None, found), None)


def json_schema() -> dict[str, Any]:
    """Return the schema of a file, whose defaults are texts as one would write them."""
    schema = RoutesFile.model_json_schema()
    for model in MODELS:
        properties = schema["$defs"].get(model.__name__, schema)["properties"]
        written = model.model_construct().model_dump(mode="json")
        for name, value in properties.items():
            if value.get("default") != "auto" and name in written:
                value["default"] = written[name]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
