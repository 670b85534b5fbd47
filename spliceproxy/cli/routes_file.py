"""The subcommands about routes files: they start nothing and open no port."""

import click

from spliceproxy.errors import ExitStatus


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--show", is_flag=True, help="Print the effective configuration, as YAML.")
@click.option(
    "--limits",
    is_flag=True,
    help="Print how many connections each route would get under the limits of this shell.",
)
def check(file: str, *, show: bool, limits: bool) -> int:
    """Check a routes file, and tell every mistake in it."""
    from spliceproxy.routes_file.load import load
    from spliceproxy.routes_file.show import show as shown
    from spliceproxy.tls.route_tls import find_mistakes

    settings = load(file, look=find_mistakes)
    count = len(settings.routes)
    done = f"{file}: correct, {count} route{'s' if count > 1 else ''}\n"
    click.echo(shown(settings) if show else done, nl=False)
    if limits:
        # Late: what counts descriptors knows all kinds of mirrors.
        from spliceproxy.cli.limits_report import report_limits

        lines, fits = report_limits(settings)
        click.echo("\n".join(lines), err=show)
        return ExitStatus.OK if fits else ExitStatus.UNFIT
    return ExitStatus.OK


@click.command()
def schema() -> int:
    """Print the JSON Schema of routes files, for editors."""
    from spliceproxy.routes_file.show import schema as json_schema

    click.echo(json_schema())
    return ExitStatus.OK
