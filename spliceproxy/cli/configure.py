"""The settings that a command line asks for: in its options, or in the file that it names."""

import os
from collections.abc import Iterable
from typing import Any

import click
from click.core import ParameterSource

from spliceproxy.cli.tls_options import check_tls
from spliceproxy.errors import UsageProblem
from spliceproxy.settings.address import TcpAddress, UnixAddress
from spliceproxy.settings.admin_access import check_exposure, check_tokens
from spliceproxy.settings.listen_address import ListenAddress
from spliceproxy.settings.listeners import find_duplicate
from spliceproxy.settings.proxy import Settings
from spliceproxy.settings.sample_key import KEY_VARIABLE, parse_sample_key
from spliceproxy.settings.single_route import ROUTE_OPTIONS, override, single_route

EXAMPLE = "spliceproxy --listen 8080 --backend example.org:80"
_GIVEN = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)


def configure(ctx: click.Context, config: str | None, options: dict[str, Any]) -> Settings:
    """Return the settings; what concerns no single route may be given beside a file."""
    if config is None:
        check_listeners(options)
        check_admin(
            options["admin_listen"],
            options["admin_token"],
            options["admin_viewer_token"],
            insecure=options["admin_insecure"],
        )
        check_group(options["user"], options["group"])
        check_tls(
            options["tls_certificate"], options["tls_key"], self_signed=options["self_signed"]
        )
        return single_route(**options, **read_variables())
    # Late, so that a plain command line need not wait for YAML.
    from spliceproxy.routes_file.load import load
    from spliceproxy.tls.route_tls import find_mistakes

    given = [param for param in ctx.command.params if _is_given(ctx, param)]
    refuse_route_options(ctx, given)
    beside = {param.name: options[param.name] for param in given if param.name in options}
    settings = override(load(config, look=find_mistakes), **beside, **read_variables())
    check_group(settings.user, settings.group)
    admin = settings.admin
    check_admin(
        admin.open_addresses,
        admin.token,
        admin.viewer_token,
        insecure=admin.insecure,
    )
    return settings


def read_variables() -> dict[str, Any]:
    """Return what is read from the environment alone, as others could read it in an option."""
    text = os.environ.get(KEY_VARIABLE)
    try:
        return {"sample_key": parse_sample_key(text)} if text else {}
    except ValueError as problem:
        what, _, remedy = str(problem).partition(": ")
        raise UsageProblem(f"{KEY_VARIABLE}: {what}", remedy) from None


def check_listeners(options: dict[str, Any]) -> None:
    """Refuse what each option allows by itself but not together with the others."""
    for option, addresses in (("--listen", options["listen"]), ("--backend", options["backends"])):
        if not addresses:
            raise UsageProblem(
                f"{option} is missing", f"expected it once or more, as in: {EXAMPLE}"
            )
    duplicate = find_duplicate(options["listen"])
    if duplicate is not None:
        kinds = {UnixAddress: "path", TcpAddress: "host and port"}
        what = kinds.get(type(duplicate), "socket")
        raise UsageProblem(
            f"--listen: {duplicate} is given twice", f"expected another {what} for each listener"
        )


def check_admin(
    listen: Iterable[ListenAddress],
    token: str | None,
    viewer_token: str | None,
    *,
    insecure: bool,
) -> None:
    """Refuse an admin interface that strangers can reach and use."""
    try:
        check_tokens(token, viewer_token)
        has_token = token is not None or viewer_token is not None
        check_exposure(listen, has_token=has_token, insecure=insecure)
    except ValueError as problem:
        what, _, remedy = str(problem).partition(": ")
        raise UsageProblem(f"--admin: {what}", remedy) from None


def check_group(user: str | None, group: str | None) -> None:
    """Refuse a group without a user."""
    if group is not None and user is None:
        raise UsageProblem(
            "--group: has no effect without --user", "expected both, or --user alone"
        )


def refuse_route_options(ctx: click.Context, given: list[click.Parameter]) -> None:
    """Refuse options that the file has for each route."""
    clashing = [_name(ctx, param) for param in given if param.name in ROUTE_OPTIONS]
    if clashing:
        raise UsageProblem(
            f"--config does not go together with {', '.join(clashing)}",
            "expected that in the file, for each route",
        )


def _is_given(ctx: click.Context, param: click.Parameter) -> bool:
    return ctx.get_parameter_source(param.name) in _GIVEN


def _name(ctx: click.Context, param: click.Parameter) -> str:
    """Return the option, or the variable that it came from."""
    source = ctx.get_parameter_source(param.name)
    return str(param.envvar) if source is ParameterSource.ENVIRONMENT else param.opts[0]
