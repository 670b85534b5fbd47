"""`python -m tools.bench tls`: TLS terminated in front of a plain backend."""

from __future__ import annotations

import shlex
import sys
import tempfile
from pathlib import Path

import click

from tools.bench import campaign, network, peers, selection, tls_bounds, tls_peers
from tools.bench.errors import BenchError
from tools.bench.placement import Placement
from tools.bench.tls_files import TlsFiles
from tools.bench.works import terminated

OUTPUT_PATH = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--works", "work_names", help="Comma-separated; default: all of them.")
@click.option("--peers", "peer_names", help="Comma-separated; default: all of them.")
@click.option("--rounds", type=click.IntRange(min=1), help="Default: 5, with --quick 2.")
@click.option("--seconds", type=click.FloatRange(min=0.2), help="Default: 3, with --quick 1.")
@click.option(
    "--gigabytes",
    type=click.FloatRange(min=0.01, max=4),
    help="In bulk, for each measurement. Default: 1, with --quick 0.3.",
)
@click.option("--quick", is_flag=True, help="Short rounds, fewer bytes and connections.")
@click.option("--pin/--no-pin", default=True, show_default=True, help="Proxy on its own CPU.")
@click.option("--congestion", help="TCP congestion control, in a network namespace (root).")
@click.option("--spliceproxy-command", help="For example 'python -m spliceproxy'.")
@click.option("--json", "json_path", type=OUTPUT_PATH, help="Write the figures there.")
@click.option("--markdown", "markdown_path", type=OUTPUT_PATH, help="Put the tables in this page.")
@click.option("--picture", "picture_path", type=OUTPUT_PATH, help="Draw a PNG or SVG.")
def command(
    *,
    work_names: str | None,
    peer_names: str | None,
    rounds: int | None,
    seconds: float | None,
    gigabytes: float | None,
    quick: bool,
    pin: bool,
    congestion: str | None,
    spliceproxy_command: str | None,
    json_path: Path | None,
    markdown_path: Path | None,
    picture_path: Path | None,
) -> None:
    """Compare proxies that terminate TLS, as ratios within each round."""
    outputs = campaign.Outputs("tls", json_path, markdown_path, picture_path)
    start = shlex.split(spliceproxy_command or "") or peers.SPLICEPROXY_COMMAND
    bulk_bytes = int((gigabytes or (0.3 if quick else 1)) * 1e9)
    works = terminated.catalogue(bulk_bytes, 500 if quick else 2_500)
    with tempfile.TemporaryDirectory(prefix="bench-tls-") as directory:
        files = TlsFiles(Path(directory))
        known_peers = tls_peers.built_in(start, files)
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
            notes=tls_peers.NOTES,
            standard=tls_bounds.STANDARD,
        )
        campaign.end_children_on_termination()
        try:
            files.make()
            if congestion:
                network.enter_own_network(congestion)
            outputs.deliver(asked.run(), peers.SPLICEPROXY)
        except (BenchError, OSError) as error:
            raise click.ClickException(str(error)) from None
