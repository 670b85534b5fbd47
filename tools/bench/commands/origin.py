"""`python -m tools.bench origin`: the file server by each method, beside nginx."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tools.bench import campaign, file_servers, network, origin_bounds, selection
from tools.bench.errors import BenchError
from tools.bench.placement import Placement
from tools.bench.works import files

OUTPUT_PATH = click.Path(dir_okay=False, path_type=Path)
NOTES = (
    'the server has the place of the "proxy" here',
    "nginx: sendfile on, tcp_nopush on, one process; files in the page cache; no access log",
    "origin looks at a cached small file again after 100 ms; nginx opens its file for each request",
)


@click.command()
@click.option("--works", "work_names", help="Comma-separated; default: all of them.")
@click.option("--peers", "peer_names", help="Comma-separated; default: all of them.")
@click.option("--rounds", type=click.IntRange(min=1), help="Default: 5, with --quick 2.")
@click.option("--seconds", type=click.FloatRange(min=1), help="Default: 3, with --quick 1.")
@click.option("--quick", is_flag=True, help="Short rounds.")
@click.option("--pin/--no-pin", default=True, show_default=True, help="Server on its own CPU.")
@click.option("--congestion", help="TCP congestion control, in a network namespace (root).")
@click.option("--json", "json_path", type=OUTPUT_PATH, help="Write the figures there.")
@click.option("--markdown", "markdown_path", type=OUTPUT_PATH, help="Put the tables in this page.")
@click.option("--picture", "picture_path", type=OUTPUT_PATH, help="Draw a PNG or SVG.")
def command(
    *,
    work_names: str | None,
    peer_names: str | None,
    rounds: int | None,
    seconds: float | None,
    quick: bool,
    pin: bool,
    congestion: str | None,
    json_path: Path | None,
    markdown_path: Path | None,
    picture_path: Path | None,
) -> None:
    """Compare the file server's methods with nginx, as ratios within each round."""
    outputs = campaign.Outputs("origin", json_path, markdown_path, picture_path)
    works, known_peers = files.catalogue(), file_servers.built_in()
    try:
        chosen_works = selection.pick(work_names or ",".join(works), works, "work")
        chosen_peers = selection.pick(peer_names or ",".join(known_peers), known_peers, "peer")
        outputs.check()
    except BenchError as error:
        raise click.UsageError(str(error)) from None
    asked = campaign.Campaign(
        command=campaign.repeatable(sys.argv[1:]),
        works=chosen_works,
        peers=chosen_peers,
        round_count=rounds or (2 if quick else 5),
        seconds=seconds or (1.0 if quick else 3.0),
        where=Placement.pinned() if pin else Placement(),
        notes=NOTES,
        standard=origin_bounds.STANDARD,
    )
    campaign.end_children_on_termination()
    try:
        if congestion:
            network.enter_own_network(congestion)
        outputs.deliver(asked.run(), file_servers.ORIGIN)
    except (BenchError, OSError) as error:
        raise click.ClickException(str(error)) from None
