"""`python -m tools.bench mirror`: what each kind of mirror costs, beside HAProxy with tcpdump."""

from __future__ import annotations

import shlex
import sys
import tempfile
from pathlib import Path

import click

from tools.bench import campaign, machine, mirror_bounds, mirror_peers, network, peers, selection
from tools.bench.errors import BenchError
from tools.bench.placement import Placement
from tools.bench.works import mirrored

OUTPUT_PATH = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--works", "work_names", help="Comma-separated; default: all of them.")
@click.option("--peers", "peer_names", help="Comma-separated; default: all of them.")
@click.option("--rounds", type=click.IntRange(min=1), help="Default: 5, with --quick 2.")
@click.option("--seconds", type=click.FloatRange(min=0.2), help="Default: 3, with --quick 1.")
@click.option(
    "--gigabytes",
    type=click.FloatRange(min=0.01, max=8),
    help="In bulk, for each measurement. Default: 2, with --quick 0.5.",
)
@click.option("--quick", is_flag=True, help="Short rounds and fewer bytes.")
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
    """Compare mirrors with no mirror, as ratios within each round.

    Root is needed for tcpdump. Audit files and captures go to TMPDIR.
    """
    outputs = campaign.Outputs("mirror", json_path, markdown_path, picture_path)
    start = shlex.split(spliceproxy_command or "") or peers.SPLICEPROXY_COMMAND
    works = mirrored.catalogue(int((gigabytes or (0.5 if quick else 2)) * 1e9))
    known_peers = mirror_peers.built_in(start)
    try:
        chosen_works = selection.pick(work_names or ",".join(works), works, "work")
        chosen_peers = selection.pick(peer_names or ",".join(known_peers), known_peers, "peer")
        outputs.check()
    except BenchError as error:
        raise click.UsageError(str(error)) from None
    asked = campaign.Campaign(
        command=shlex.join(["python", "-m", "tools.bench", *sys.argv[1:]]),
        works=chosen_works,
        peers=chosen_peers,
        round_count=rounds or (2 if quick else 5),
        seconds=seconds or (1.0 if quick else 3.0),
        where=Placement.pinned() if pin else Placement(),
        notes=notes(),
        standard=mirror_bounds.STANDARD,
    )
    campaign.end_children_on_termination()
    try:
        if congestion:
            network.enter_own_network(congestion)
        outputs.deliver(asked.run(), "mirrors")
    except (BenchError, OSError) as error:
        raise click.ClickException(str(error)) from None


def notes() -> list[str]:
    directory = tempfile.gettempdir()
    file_system = machine.file_system(Path(directory), Path("/proc/self/mounts").read_text())
    return [
        f"audit files and captures: {directory} ({file_system}), removed after each measurement",
        mirror_peers.HAPROXY_TCPDUMP_NOTE,
        "iperf3 cuts its stream when it has sent all: what is on its way then is not mirrored",
    ]
