"""`tls://HOST:PORT`: as `tcp:`, by TLS."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spliceproxy.settings.mirror_kinds.stream import StreamOptions, own_option
from spliceproxy.settings.mirror_kinds.tcp import TcpKind
from spliceproxy.settings.tls_texts import DIAL_OPTIONS, find_dial_conflict

if TYPE_CHECKING:
    from spliceproxy.settings.mirror import MirrorSettings


class TlsKind(TcpKind):
    """The options are those of a `tls://` backend, beside those of `tcp:`."""

    name = "tls"
    form = "tls://HOST:PORT"
    options = {  # noqa: RUF012
        **TcpKind.options,
        **{name: own_option(name, parse) for name, parse in DIAL_OPTIONS.items()},
    }
    granted = False
    is_attachable = False  # workers can't read the files of certificates

    def take_own(self, options: dict[str, Any]) -> StreamOptions:
        """See `StreamKind.take_own`."""
        tls = tuple((name, options.pop(name)) for name in DIAL_OPTIONS if name in options)
        return StreamOptions(options.pop("answers", None), tls)

    def find_conflict(self, options: Mapping[str, Any]) -> tuple[str, str] | None:
        """See `MirrorKind.find_conflict`."""
        dial = {name: options[name].value for name in DIAL_OPTIONS if name in options}
        return super().find_conflict(options) or find_dial_conflict(dial)

    def tls_options(self, mirror: "MirrorSettings") -> dict[str, Any] | None:
        """See `MirrorKind.tls_options`."""
        own: StreamOptions = mirror.own
        return {name: option.value for name, option in own.tls}

    def write_options(self, mirror: "MirrorSettings") -> dict[str, Any]:
        """See `MirrorKind.write_options`."""
        own: StreamOptions = mirror.own
        return super().write_options(mirror) | {name: option.written for name, option in own.tls}
