"""`python -m tools.bench origin`: the file server by each method, beside nginx."""

from __future__ import annotations

import click

from tools.bench import file_servers, origin_bounds
from tools.bench.commands.asked import Asked, asks
from tools.bench.errors import BenchError
from tools.bench.works import files

NOTES = (
    'the server has the place of the "proxy" here',
    "nginx: sendfile on, tcp_nopush on, one process; files in the page cache; no access log",
    "origin looks at a cached small file again after 100 ms; nginx opens its file for each request",
)


@click.command()
@asks
def command(*, asked: Asked) -> None:
    """Compare the file server's methods with nginx, as ratios within each round."""
    if asked.seconds is not None and asked.seconds < 1:  # wrk counts whole ones
        raise click.BadParameter("expected one second at least", param_hint="--seconds")
    try:
        works, servers = asked.pick(files.catalogue(), file_servers.built_in())
        outputs = asked.outputs("origin")
    except BenchError as error:
        raise click.UsageError(str(error)) from None
    whole = asked.plan(works, servers, notes=NOTES, standard=origin_bounds.STANDARD)
    asked.run(whole, outputs, file_servers.ORIGIN)
