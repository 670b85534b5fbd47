"""What a program imports from the package itself, and that importing it costs nothing."""

import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import assert_type

import pytest
import trio

import spliceproxy
from spliceproxy import (
    BackendSettings,
    ListenSettings,
    Proxy,
    RouteSettings,
    Settings,
    TcpAddress,
    UnixAddress,
    parse_mirror,
    serve,
    single_route,
)

NAMES = [name for name in spliceproxy.__all__ if name != "__version__"]

LOADED = """
import json, sys
before = set(sys.modules)
import spliceproxy
print(json.dumps(sorted(set(sys.modules) - before)))
"""

AFTER_ITS_MODULE = """
import spliceproxy.serving
from spliceproxy import serve
assert callable(serve), serve
"""


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=50
    ).stdout


def test_importing_it_loads_nothing_else() -> None:
    assert json.loads(run(LOADED)) == ["spliceproxy"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_what_its_module_defines(name: str) -> None:
    value = getattr(spliceproxy, name)
    assert value is getattr(importlib.import_module(value.__module__), name)
    assert name in dir(spliceproxy)


def test_a_name_is_the_same_whatever_was_imported_before() -> None:
    run(AFTER_ITS_MODULE)


def test_no_name_is_hidden_by_a_module() -> None:
    modules = {module.name for module in pkgutil.iter_modules(spliceproxy.__path__)}
    assert not modules & set(NAMES)


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'relay'"):
        spliceproxy.relay  # type: ignore[attr-defined]  # noqa: B018


async def test_a_program_needs_no_other_import(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    backend = BackendSettings(address=TcpAddress("127.0.0.1", 9))
    routes = (
        RouteSettings(
            name="web",
            listen=(ListenSettings(address=TcpAddress("127.0.0.1", 0)),),
            backends=(backend,),
            mirrors=(parse_mirror("null:"),),
        ),
        RouteSettings(
            name="local",
            listen=(ListenSettings(address=UnixAddress(path)),),
            backends=(backend,),
        ),
    )
    with trio.fail_after(20):
        async with serve(Settings(routes=routes)) as proxy:
            assert_type(proxy, Proxy)
            assert [route.name for route in proxy.status().routes] == ["web", "local"]
            assert proxy.addresses[1] == path


def test_what_it_gives_is_typed() -> None:
    settings = single_route([UnixAddress("/a")], [UnixAddress("/b")], workers=1)
    assert assert_type(settings, Settings).workers == 1
