"""A TCP proxy for Linux that moves bytes from socket to socket inside the kernel.

A program needs no other import than this: `serve`, and what its settings are made of. Each name is
loaded when it is first asked for (PEP 562), so that the command starts without them.
"""

# As typing's, which type checkers believe to be true: importing the package loads nothing.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from spliceproxy.serving import Proxy, serve
    from spliceproxy.settings.address import TcpAddress, UnixAddress
    from spliceproxy.settings.backend import BackendSettings
    from spliceproxy.settings.listen import ListenSettings
    from spliceproxy.settings.mirror import parse_mirror
    from spliceproxy.settings.proxy import RouteSettings, Settings
    from spliceproxy.settings.single_route import single_route

__version__ = "0.1.0"

__all__ = [
    "BackendSettings",
    "ListenSettings",
    "Proxy",
    "RouteSettings",
    "Settings",
    "TcpAddress",
    "UnixAddress",
    "__version__",
    "parse_mirror",
    "serve",
    "single_route",
]

_MODULES = {
    "BackendSettings": "settings.backend",
    "ListenSettings": "settings.listen",
    "Proxy": "serving",
    "RouteSettings": "settings.proxy",
    "Settings": "settings.proxy",
    "TcpAddress": "settings.address",
    "UnixAddress": "settings.address",
    "parse_mirror": "settings.mirror",
    "serve": "serving",
    "single_route": "settings.single_route",
}
"""Where each name is defined. None of them is a module's name: importing that would replace it."""

if not TYPE_CHECKING:  # with it type checkers would take any name

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
