"""The options of the proxy command that say whom it runs as."""

import click

from spliceproxy.cli.readers import reads, setting
from spliceproxy.settings import help_texts
from spliceproxy.settings.accounts import parse_account

PRIVILEGE_OPTIONS = (
    setting(
        "--user",
        "user",
        callback=reads(parse_account),
        metavar="NAME",
        help=help_texts.USER,
    ),
    setting(
        "--group",
        "group",
        callback=reads(parse_account),
        metavar="NAME",
        help=help_texts.GROUP,
    ),
    setting(
        "--sandbox",
        "sandbox",
        type=click.Choice(["auto", "off"]),
        default="auto",
        help=help_texts.SANDBOX,
    ),
)
