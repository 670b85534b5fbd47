"""Reads the text of a file, with the environment that a test gives."""

from collections.abc import Mapping

from spliceproxy.routes_file.load import read_settings
from spliceproxy.settings.proxy import Settings

ROUTE = "routes: [{name: a, listen: 80, backends: [b:80]}]\n"


def settings_of(text: str, variables: Mapping[str, str] | None = None) -> Settings:
    settings, mistakes = read_settings(text.encode(), variables or {})
    assert settings is not None, mistakes
    return settings


def mistakes_of(text: str, variables: Mapping[str, str] | None = None) -> list[str]:
    """Each without the name of the file and the word `error`."""
    settings, mistakes = read_settings(text.encode(), variables or {})
    assert (settings is None) == bool(mistakes)
    return [mistake.line("").removeprefix(":").replace(" error:", "") for mistake in mistakes]
