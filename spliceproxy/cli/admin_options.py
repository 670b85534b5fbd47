"""The options of the proxy command that concern its admin interface."""

from spliceproxy.cli.readers import reads, setting
from spliceproxy.settings import help_texts
from spliceproxy.settings.admin_access import parse_token
from spliceproxy.settings.attach_grants import DEFAULT_GRANTS, GRANT_FORMS, parse_grant
from spliceproxy.settings.listen_address import LISTEN_FORMS, parse_listen

ADMIN_OPTIONS = (
    setting(
        "--admin",
        "admin_listen",
        multiple=True,
        callback=reads(parse_listen),
        metavar="ADDRESS",
        help=f"Answer over HTTP here what the proxy is doing: {LISTEN_FORMS}. Repeatable.",
    ),
    setting(
        "--admin-token",
        "admin_token",
        default=None,
        callback=reads(parse_token),
        metavar="TOKEN",
        help="The operator's token: with it an admin request may give orders. Needed for all "
        "addresses but unix sockets. Better given by the environment: others can read a command "
        "line.",
    ),
    setting(
        "--admin-viewer-token",
        "admin_viewer_token",
        default=None,
        callback=reads(parse_token),
        metavar="TOKEN",
        help="The viewer's token: with it an admin request may look, and give no orders.",
    ),
    setting(
        "--admin-attach",
        "admin_attach",
        multiple=True,
        default=tuple(map(str, DEFAULT_GRANTS)),
        callback=reads(parse_grant),
        metavar="KIND",
        help=f"Mirrors that operators may attach: {GRANT_FORMS} and what is below it. Repeatable, "
        "in place of the default.",
    ),
    setting(
        "--admin-insecure/--no-admin-insecure",
        "admin_insecure",
        default=False,
        help=help_texts.ADMIN_INSECURE,
    ),
)
