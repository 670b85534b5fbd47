"""`python -m tools.bench scrape`: what it costs the data plane to be watched."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from tools.bench import campaign, peers, proxy_configs, scrape_peers, selection
from tools.bench.bounds import Bound, Standard
from tools.bench.errors import BenchError
from tools.bench.placement import Placement
from tools.bench.works import request_response, scraped

OUTPUT_PATH = click.Path(dir_okay=False, path_type=Path)
WANTED_CONNECTIONS = 10_000
LEFT_FOR_LOAD = 100

STANDARD = Standard(
    "spliceproxy that nobody asks",
    (
        Bound(scraped.REQUESTS, request_response.RATE, 0.98),
        Bound(scraped.REQUESTS, request_response.CPU, 1.02),
    ),
)


@click.command()
@click.option("--works", "work_names", help="Comma-separated; default: all of them.")
@click.option("--rounds", type=click.IntRange(min=1), help="Default: 5, with --quick 2.")
@click.option("--seconds", type=click.FloatRange(min=0.2), help="Default: 5, with --quick 1.")
@click.option(
    "--connections",
    type=click.IntRange(min=1, max=WANTED_CONNECTIONS),
    help=f"Idle ones. Default: {WANTED_CONNECTIONS}, or what fits; with --quick 1000.",
)
@click.option("--quick", is_flag=True, help="Short rounds and fewer connections.")
@click.option("--pin/--no-pin", default=True, show_default=True, help="Worker on its own CPU.")
@click.option("--spliceproxy-command", help="For example 'python -m spliceproxy'.")
@click.option("--json", "json_path", type=OUTPUT_PATH, help="Write the figures there.")
@click.option("--markdown", "markdown_path", type=OUTPUT_PATH, help="Put the tables in this page.")
def command(
    *,
    work_names: str | None,
    rounds: int | None,
    seconds: float | None,
    connections: int | None,
    quick: bool,
    pin: bool,
    spliceproxy_command: str | None,
    json_path: Path | None,
    markdown_path: Path | None,
) -> None:
    """Compare a proxy that is scraped with one that is not, as ratios within each round."""
    fitting = proxy_configs.most_connections() - LEFT_FOR_LOAD
    wanted = connections or (1_000 if quick else WANTED_CONNECTIONS)
    works = scraped.catalogue(min(wanted, fitting))
    start = shlex.split(spliceproxy_command or "") or peers.SPLICEPROXY_COMMAND
    try:
        chosen = selection.pick(work_names or ",".join(works), works, "work")
    except BenchError as error:
        raise click.UsageError(str(error)) from None
    remark = f"more than {fitting:,} idle connections: the limit on open files"
    asked = campaign.Campaign(
        command=campaign.repeatable(sys.argv[1:]),
        works=chosen,
        peers=list(scrape_peers.built_in(start).values()),
        round_count=rounds or (2 if quick else 5),
        seconds=seconds or (1.0 if quick else 5.0),
        where=Placement.pinned() if pin else Placement(),
        remarks=[remark] if wanted > fitting else [],
        notes=[scrape_peers.NOTE],
        standard=STANDARD,
    )
    campaign.end_children_on_termination()
    outputs = campaign.Outputs("scrape", json_path, markdown_path, None)
    try:
        outputs.deliver(asked.run(), scrape_peers.SCRAPED)
    except (BenchError, OSError) as error:
        raise click.ClickException(str(error)) from None
