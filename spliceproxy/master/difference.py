"""What a reload changes, for its line in the log."""

from typing import Any

from spliceproxy.master.open_listeners import ListenerChange
from spliceproxy.settings.proxy import Settings

_NEEDS_RESTART = ("admin", "stats_socket", "user", "group", "sandbox")
"""What the admin process listens on, as it outlives reloads; and what the master gave up."""


def needs_restart(old: Settings, new: Settings) -> list[str]:
    """Return the settings that a reload has not changed, though the file has."""
    return [name for name in _NEEDS_RESTART if getattr(old, name) != getattr(new, name)]


def describe_difference(old: Settings, new: Settings, change: ListenerChange) -> dict[str, Any]:
    """Return which routes, listeners and other settings came, went and changed."""
    before = {route.name: route for route in old.routes}
    after = {route.name: route for route in new.routes}
    both = before.keys() & after.keys()
    changed = [name for name in after if name in both and before[name] != after[name]]
    return {
        "routes": {
            "added": [name for name in after if name not in both],
            "removed": [name for name in before if name not in both],
            "changed": changed,
            "unchanged": len(both) - len(changed),
        },
        "settings_changed": [
            str(field.serialization_alias or name)
            for name, field in Settings.model_fields.items()
            if name != "routes" and getattr(old, name) != getattr(new, name)
        ],
        "listeners": _describe_listeners(change),
    }


def _describe_listeners(change: ListenerChange) -> dict[str, Any]:
    return {
        "added": [listener.name for listener in change.added],
        "removed": [listener.name for listener in change.removed],
        "changed": [listener.name for listener, _ in change.changed],
        "unchanged": change.kept,
    }
