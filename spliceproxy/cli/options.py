"""The options of the proxy command, each also read from the environment, and their help.

Their values are named after the fields of `Settings`. The texts that they accept are the
business of `spliceproxy.settings`.
"""

import click

from spliceproxy.cli.admin_options import ADMIN_OPTIONS
from spliceproxy.cli.privilege_options import PRIVILEGE_OPTIONS
from spliceproxy.cli.readers import Command, duration, reads, setting
from spliceproxy.cli.tls_options import TLS_OPTIONS
from spliceproxy.settings import help_texts
from spliceproxy.settings.address import BACKEND_FORMS
from spliceproxy.settings.bounds import (
    parse_backlog,
    parse_drain_timeout,
    parse_max_connections,
    parse_max_generations,
    parse_tcp_user_timeout,
    parse_timeout,
    parse_workers,
)
from spliceproxy.settings.listen_address import LISTEN_FORMS, parse_listen
from spliceproxy.settings.log_destination import (
    ACCESS_LOG_FORMS,
    LOG_FORMS,
    parse_access_log_destination,
    parse_log_destination,
)
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.settings.mirror_kinds.table import mirror_forms
from spliceproxy.settings.mirror_options import every_option
from spliceproxy.settings.tls_texts import parse_backend_option
from spliceproxy.settings.units import parse_positive_size

LOG_LEVELS = ("debug", "info", "warning", "error")

SECTIONS = {
    "Routes file": ("config",),
    "Traffic": ("listen", "backends", "splice", "strict_names"),
    "TLS": ("tls_certificate", "tls_key", "self_signed"),
    "Timeouts": (
        "connect_timeout_s",
        "idle_timeout_s",
        "drain_timeout_s",
        "drain_delay_s",
        "reload_drain_timeout_s",
        "tcp_user_timeout_s",
    ),
    "Capacity": ("workers", "max_generations", "max_connections", "backlog", "raise_nofile"),
    "Mirrors": ("mirrors", "mirror_budget_bytes"),
    "Privileges": ("user", "group", "sandbox"),
    "Operation": (
        "admin_listen",
        "admin_token",
        "admin_viewer_token",
        "admin_attach",
        "admin_insecure",
    ),
    "Log": ("log_to", "log_format", "log_level", "access_log", "access_log_format"),
}


class SectionedGroup(click.Group):
    """A group whose help lists the options under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options section by section, then the subcommands if there are any."""
        rest = {param.name: param for param in self.get_params(ctx)}
        sections = [
            (title, [rest.pop(name) for name in names]) for title, names in SECTIONS.items()
        ]
        for title, parameters in [*sections, ("Other", list(rest.values()))]:
            records = (parameter.get_help_record(ctx) for parameter in parameters)
            with formatter.section(title):
                formatter.write_dl([record for record in records if record is not None])
        self.format_commands(ctx, formatter)


PROXY_OPTIONS = (
    setting(
        "--config",
        "config",
        short="-c",
        default=None,
        metavar="FILE",
        help="Read routes from this YAML file, in place of the options of a single route.",
    ),
    setting(
        "--listen",
        "listen",
        multiple=True,
        callback=reads(parse_listen),
        metavar="ADDRESS",
        help=f"Accept here: {LISTEN_FORMS}. {help_texts.ANY_ADDRESS} Repeatable.",
    ),
    setting(
        "--backend",
        "backends",
        multiple=True,
        callback=reads(parse_backend_option),
        metavar="ADDRESS",
        help=f"Forward to: {BACKEND_FORMS}, or tls:// and one of them for TLS, with options as in "
        "'tls://db:5432?ca=ca.pem'. Repeatable: connections take turns, and go to the next one "
        "when a connect fails.",
    ),
    *TLS_OPTIONS,
    setting(
        "--splice",
        "splice",
        type=click.Choice(["on", "off"]),
        default="on",
        callback=reads("on".__eq__),
        help="Move bytes inside the kernel; 'off' copies them through the process.",
    ),
    duration(
        "--connect-timeout",
        "connect_timeout_s",
        "5s",
        parse_timeout,
        help_texts.CONNECT_TIMEOUT,
    ),
    duration(
        "--idle-timeout",
        "idle_timeout_s",
        "1h",
        parse_timeout,
        help_texts.IDLE_TIMEOUT,
    ),
    duration(
        "--drain-timeout",
        "drain_timeout_s",
        "30s",
        parse_drain_timeout,
        help_texts.DRAIN_TIMEOUT,
    ),
    duration(
        "--drain-delay",
        "drain_delay_s",
        "0s",
        parse_drain_timeout,
        help_texts.DRAIN_DELAY,
    ),
    duration(
        "--reload-drain-timeout",
        "reload_drain_timeout_s",
        "1d",
        parse_drain_timeout,
        help_texts.RELOAD_DRAIN_TIMEOUT,
    ),
    duration(
        "--tcp-user-timeout",
        "tcp_user_timeout_s",
        "0s",
        parse_tcp_user_timeout,
        help_texts.TCP_USER_TIMEOUT,
    ),
    setting(
        "--workers",
        "workers",
        default="auto",
        callback=reads(parse_workers),
        metavar="N|auto",
        help=help_texts.WORKERS,
    ),
    setting(
        "--max-generations",
        "max_generations",
        default="8",
        callback=reads(parse_max_generations),
        metavar="N",
        help=help_texts.MAX_GENERATIONS,
    ),
    setting(
        "--max-connections",
        "max_connections",
        callback=reads(parse_max_connections),
        show_default="as many as the file limit allows",
        metavar="N",
        help="Connections of all workers together; above it new ones wait in the backlog.",
    ),
    setting(
        "--backlog",
        "backlog",
        callback=reads(parse_backlog),
        default="4096",
        metavar="N",
        help=help_texts.BACKLOG,
    ),
    setting(
        "--raise-nofile/--no-raise-nofile",
        "raise_nofile",
        default=True,
        help=help_texts.RAISE_NOFILE,
    ),
    setting(
        "--strict-names/--no-strict-names",
        "strict_names",
        default=False,
        help=help_texts.STRICT_NAMES,
    ),
    setting(
        "--mirror",
        "mirrors",
        multiple=True,
        callback=reads(parse_mirror),
        metavar="URL",
        help=f"Copy the traffic to: {mirror_forms()}, with options as in "
        f"'tcp://10.0.0.9:80?sample=10%&overflow=spill': {', '.join(every_option())}. Repeatable.",
    ),
    setting(
        "--mirror-budget",
        "mirror_budget_bytes",
        callback=reads(parse_positive_size),
        show_default=help_texts.MIRROR_BUDGET_DEFAULT,
        metavar="SIZE",
        help=help_texts.MIRROR_BUDGET,
    ),
    *PRIVILEGE_OPTIONS,
    *ADMIN_OPTIONS,
    setting(
        "--log-to",
        "log_to",
        callback=reads(parse_log_destination),
        default="stdout",
        metavar="PLACE",
        help=f"Where to log: {LOG_FORMS}. SIGUSR1 opens files again.",
    ),
    setting(
        "--log-format",
        "log_format",
        type=click.Choice(["auto", "console", "json"]),
        default="auto",
        help=help_texts.LOG_FORMAT,
    ),
    setting(
        "--log-level",
        "log_level",
        type=click.Choice(LOG_LEVELS),
        default="info",
        help=help_texts.LOG_LEVEL,
    ),
    setting(
        "--access-log",
        "access_log",
        callback=reads(parse_access_log_destination),
        default="log",
        metavar="PLACE",
        help=f"Where the lines of connections go: {ACCESS_LOG_FORMS}.",
    ),
    setting(
        "--access-log-format",
        "access_log_format",
        type=click.Choice(["auto", "console", "json", "haproxy-tcp"]),
        default="auto",
        help=help_texts.ACCESS_LOG_FORMAT,
    ),
)


def proxy_options(command: Command) -> Command:
    """Add all options to a command, in the order in which they are declared above."""
    for add in reversed(PROXY_OPTIONS):
        command = add(command)
    return command
