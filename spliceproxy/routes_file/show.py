"""Settings as a routes file that says everything, and the schema of such files."""

import json
from typing import Any

import yaml

from spliceproxy.routes_file.model import json_schema
from spliceproxy.settings.proxy import Settings
from spliceproxy.settings.reach import ACCEPTING
from spliceproxy.settings.written import Written

_FIRST = ("name", "listen", "backends")


def show(settings: Settings) -> str:
    """Return the effective configuration, which is a routes file with the same meaning.

    Variables stand where they may hold a secret; it has to be read with the same environment.
    """
    # In JSON's mode pydantic makes plain texts of `Written`.
    content = settings.model_dump(mode="python", exclude_none=True)
    content["routes"] = [_tidy(route) for route in content["routes"]]
    return str(yaml.safe_dump(_escape(content), sort_keys=False, allow_unicode=True, width=100))


def _tidy(route: dict[str, Any]) -> dict[str, Any]:
    """Put the most important keys first, and leave out what may not be there."""
    hidden = set(_FIRST if route["listen"] else [*_FIRST, *ACCEPTING])
    keys = [*filter(route.get, _FIRST), *(key for key in route if key not in hidden)]
    return {key: route[key] for key in keys}


def _escape(content: Any) -> Any:
    """Keep what looks like a variable, and is none, from being replaced."""
    if isinstance(content, dict):
        return {key: _escape(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_escape(value) for value in content]
    if isinstance(content, Written):
        return str(content)
    return content.replace("${", "$${") if isinstance(content, str) else content


def schema() -> str:
    """Return the JSON Schema of routes files, for editors."""
    return json.dumps(json_schema(), indent=2)
