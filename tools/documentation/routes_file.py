"""The part of docs/configuration.md on routes files, from the models that read them."""

import json
from collections.abc import Iterator
from typing import Any

from spliceproxy.routes_file.model import json_schema

_TABLES = {
    "Top level": "RoutesFile",
    "`admin`": "AdminSettings",
    "`log`": "LogSettings",
    "`access_log`": "AccessLogSettings",
    "`routes`, each": "RouteSettings",
    "`listen`, each": "ListenSettings",
    "`listen`: `tls`": "TlsListen",
    "`certificates`, each": "CertificateSettings",
    "`clients`": "ClientRules",
    "`timeouts`": "Timeouts",
    "`backends`, each": "BackendSettings",
    "`backends`: `tls`": "TlsDial",
    "`dns`": "DnsSettings",
    "`health_check`": "HealthCheckSettings",
    "`ejection`": "EjectionSettings",
    "`queue`": "QueueSettings",
    "`rate`": "RateSettings",
    "`per_client`": "PerClientSettings",
    "`bandwidth`": "BandwidthSettings",
    "`sni`, each": "SniSettings",
}
"""`defaults` has the keys that `RouteDefaults` and `RouteSettings` share."""

_INTRODUCTION = """\
## Routes files

`spliceproxy --config FILE` reads its routes from a YAML file; [config](../config) has examples.
`spliceproxy check FILE` tells every mistake in it with line and column, `check --show FILE`
prints what is in effect, `check --limits FILE` [how many connections](operations.md#limits) each
route would get, and `spliceproxy schema` prints a JSON Schema for editors. Options that concern no
single route may be given beside `--config`, and go before the file.

- Values are texts, with or without quotes, and each key says how its text is read. Flags are
  `true` and `false`. A number with a leading zero is refused.
- `${NAME}` and `${NAME:-default}` in a value stand for an environment variable; the default also
  replaces an empty one. `$${` stands for `${`. What has braces needs quotes within `[]` and `{}`.
- Where a variable may hold a secret, in a mirror and in what a health check sends and expects, its
  name stands in place of its value: in `check --show`, whose output is read with the same
  environment, and in the status, metrics, logs and messages.
- `defaults` holds keys of a route for routes that don't have them, save `name`, `listen`,
  `backends`, `accept_proxy`, `trusted` and `sni`. Mappings are merged key by key; lists are
  replaced. What concerns accepting is not for routes without `listen`.
- `rate: 100/s` is short for `rate: {limit: 100/s}`.
- Aliases may be used; tags may not. A file has at most 256 KiB.

A mirror is a URL as for `--mirror`, or a mapping of `to`, the place without options, and the
options: `{to: "file:/var/log/web", direction: both, overflow: gap}`. `shell` and
`trust_directory` are flags there,
and `env` is a mapping or a list.
"""


def routes_file_part() -> str:
    """Return the text."""
    schema = json_schema()
    models = {"RoutesFile": schema, **schema["$defs"]}
    return "\n".join([_INTRODUCTION, *_tables(models)])


def _tables(models: dict[str, Any]) -> Iterator[str]:
    for title, name in _TABLES.items():
        model = models[name]
        yield f"### {title}\n\n| key | value | default | meaning |\n|---|---|---|---|"
        required = model.get("required", [])
        for key, value in sorted(
            model["properties"].items(), key=lambda item: item[0] not in required
        ):
            default = "required" if key in required else _default(value)
            yield f"| `{key}` | {_kind(value)} | {default} | {value.get('description', '')} |"
        yield ""


def _kind(value: dict[str, Any]) -> str:
    options = value.get("anyOf", [])
    if [option.get("type") for option in options][1:] == ["array"]:
        return "one, or a list"
    if any("$ref" in kind for kind in (value, *options)):
        return "mapping"
    if value.get("type") == "array":
        return "list"
    names = next((each["enum"] for each in _alternatives(value) if "enum" in each), None)
    if names:
        return ", ".join(f"`{name}`" for name in names)
    if any("$ref" in json.dumps(option) for option in options):
        return "one value, or a mapping"
    if any("title" in option for option in options):
        return str(options[0]["title"])
    return str(value["title"])


def _alternatives(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return what a value can be, also within what it can be."""
    for option in value.get("anyOf", []):
        yield option
        yield from _alternatives(option)


def _default(value: dict[str, Any]) -> str:
    default = value.get("default")
    if default in (None, "", [], {}) or isinstance(default, dict):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"
