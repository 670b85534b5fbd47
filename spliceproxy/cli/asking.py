"""The options of every command that asks a running proxy."""

import functools
from dataclasses import dataclass
from typing import Any

import click

from spliceproxy.cli.admin_client import TIMEOUT_S, AdminClient
from spliceproxy.cli.admin_tls import make_context
from spliceproxy.cli.readers import Command, reads
from spliceproxy.errors import UsageProblem
from spliceproxy.settings.address import BACKEND_FORMS, Address, parse_backend, parse_tcp

DEFAULT_ADMIN = "unix:/run/spliceproxy/admin.sock"
_HTTPS = "https://"


@dataclass(frozen=True, slots=True)
class AskedProxy:
    """Whom to ask, as the options say."""

    admin: tuple[Address, bool]
    """Where, and whether by TLS."""
    token: str | None
    admin_ca: str | None
    admin_certificate: str | None
    admin_key: str | None

    def client(self, timeout_s: float = TIMEOUT_S) -> AdminClient:
        """Return what asks.

        Raises:
            UsageProblem: a file of the options cannot be used, or has no meaning.
        """
        address, by_tls = self.admin
        files = (self.admin_ca, self.admin_certificate, self.admin_key)
        if by_tls:
            context = make_context(*files)
            return AdminClient(address, self.token, timeout_s=timeout_s, tls=context)
        if any(files):
            raise UsageProblem(
                f"--admin {address} is not asked by TLS, so files of certificates have no effect",
                "expected --admin https://HOST:PORT with them",
            )
        return AdminClient(address, self.token, timeout_s=timeout_s)


def parse_admin(text: str) -> tuple[Address, bool]:
    """Return where the admin interface is, and whether it is asked by TLS."""
    if text.startswith(_HTTPS):
        return parse_tcp(text.removeprefix(_HTTPS).removesuffix("/")), True
    return parse_backend(text), False


_OPTIONS = (
    click.option(
        "--admin",
        "admin",
        default=DEFAULT_ADMIN,
        show_default=True,
        envvar="SPLICEPROXY_CTL",
        callback=reads(parse_admin),
        metavar="ADDRESS",
        help=f"The proxy's admin interface: {BACKEND_FORMS}, or https://HOST:PORT.",
    ),
    click.option(
        "--token", envvar="SPLICEPROXY_CTL_TOKEN", metavar="TOKEN", help="If it needs one."
    ),
    click.option(
        "--admin-ca",
        envvar="SPLICEPROXY_CTL_CA",
        metavar="FILE",
        help="By https: the authorities that its certificate may be of, in PEM. Without it: the "
        "system's.",
    ),
    click.option(
        "--admin-certificate",
        envvar="SPLICEPROXY_CTL_CERTIFICATE",
        metavar="FILE",
        help="By https: your certificate, which may make you a viewer or an operator.",
    ),
    click.option(
        "--admin-key",
        envvar="SPLICEPROXY_CTL_KEY",
        metavar="FILE",
        help="Its key. Without it: in the same file.",
    ),
)
_NAMES = ("admin", "token", "admin_ca", "admin_certificate", "admin_key")


def asking(command: Command) -> Command:
    """Add the options that say whom to ask; they arrive as `asked`."""

    @functools.wraps(command)
    def with_asked(*args: Any, **given: Any) -> Any:
        asked = AskedProxy(**{name: given.pop(name) for name in _NAMES})
        return command(*args, **given, asked=asked)

    for add in reversed(_OPTIONS):
        with_asked = add(with_asked)
    return with_asked
