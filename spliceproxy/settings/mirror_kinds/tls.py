"""`tls://HOST:PORT`: as `tcp:`, by TLS."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spliceproxy.settings.fields import ENVIRONMENT_SCHEMA
from spliceproxy.settings.mirror_kinds.option import Option
from spliceproxy.settings.mirror_kinds.stream import DialOption, StreamOptions
from spliceproxy.settings.mirror_kinds.tcp import TcpKind
from spliceproxy.settings.tls_texts import DIAL_OPTIONS, find_dial_conflict
from spliceproxy.settings.written import Written, written_in

if TYPE_CHECKING:
    from spliceproxy.settings.mirror import MirrorSettings


def _option(name: str, parse: Callable[[str], Any]) -> Option:
    kind = {"type": "boolean" if name == "verify" else "string"}
    schema = {"anyOf": [kind, ENVIRONMENT_SCHEMA]}
    return Option(name, lambda text: DialOption(name, parse(text), written_in(text)), schema=schema)


class TlsKind(TcpKind):
    """The options are those of a `tls://` backend, beside those of `tcp:`."""

    name = "tls"
    form = "tls://HOST:PORT"
    options = {  # noqa: RUF012
        **TcpKind.options,
        **{name: _option(name, parse) for name, parse in DIAL_OPTIONS.items()},
    }
    granted = False
    is_attachable = False  # workers can't read the files of certificates

    def take_own(self, options: dict[str, Any]) -> StreamOptions:
        """See `StreamKind.take_own`."""
        own = super().take_own(options) or StreamOptions()
        return replace(
            own, tls=tuple(options.pop(name) for name in DIAL_OPTIONS if name in options)
        )

    def find_conflict(self, options: Mapping[str, Any]) -> tuple[str, str] | None:
        """See `MirrorKind.find_conflict`."""
        dial = {name: options[name].value for name in DIAL_OPTIONS if name in options}
        return super().find_conflict(options) or find_dial_conflict(dial)

    def tls_options(self, mirror: "MirrorSettings") -> dict[str, Any] | None:
        """See `MirrorKind.tls_options`."""
        own: StreamOptions = mirror.own
        return {option.name: option.value for option in own.tls}

    def write_options(self, mirror: "MirrorSettings") -> dict[str, Any]:
        """See `MirrorKind.write_options`."""
        own: StreamOptions = mirror.own
        tls = {
            option.name: option.written if isinstance(option.written, Written) else option.value
            for option in own.tls
        }
        return super().write_options(mirror) | tls
