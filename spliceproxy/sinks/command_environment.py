"""The environment of a command: little of the proxy's, what is asked for, and facts.

The proxy's own may hold secrets, such as the token of its admin interface: a command gets what
programs need to be found and to speak to people, and no more.
"""

import os
from collections.abc import Iterable, Mapping

from spliceproxy.settings.mirror_kinds.exec_environment import FACTS, OWN_PREFIX, Variable
from spliceproxy.sinks.connection_facts import ConnectionFacts

_KEPT = ("PATH", "LANG", "LANGUAGE", "TZ")
_KEPT_PREFIX = "LC_"
_MAX_FACT_CHARACTERS = 256


def missing_variable(variables: Iterable[Variable]) -> str | None:
    """Return the name of a variable that is to be passed on, and is not there to be."""
    names = (each.name for each in variables if each.value is None)
    return next((name for name in names if name not in os.environ), None)


def base_environment(variables: Iterable[Variable]) -> dict[str, str]:
    """Return what all commands of a mirror have in common."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or name.startswith(_KEPT_PREFIX)
    }
    for each in variables:
        value = os.environ.get(each.name) if each.value is None else each.value
        if value is not None:  # it was there when the mirror was checked
            kept[each.name] = value
    return kept


def facts_of_stream(facts: ConnectionFacts, direction: str) -> dict[str, str]:
    """Return what the command of one stream is told."""
    told = (facts.route, facts.client, facts.backend, facts.connection, direction, facts.started)
    return _named(dict(zip(FACTS, told, strict=True)))


def facts_of_route(route: str, direction: str) -> dict[str, str]:
    """Return what a command that is fed by all streams of a route is told."""
    return _named({"ROUTE": route, "DIRECTION": direction})


def _named(facts: Mapping[str, str]) -> dict[str, str]:
    return {OWN_PREFIX + name: _tidy(value) for name, value in facts.items()}


def _tidy(text: str) -> str:
    short = text[:_MAX_FACT_CHARACTERS]
    return "".join(letter if letter.isprintable() else "?" for letter in short)
