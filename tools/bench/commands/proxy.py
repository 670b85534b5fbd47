"""`python -m tools.bench proxy`: spliceproxy beside HAProxy, nginx stream and socat."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from tools.bench import campaign, memory, network, peers, proxy_configs, selection
from tools.bench.errors import BenchError
from tools.bench.placement import Placement
from tools.bench.works.catalogue import catalogue

DEFAULT_PEERS = "spliceproxy,spliceproxy-pool,haproxy,haproxy-auto,nginx,socat,direct"
OUTPUT_PATH = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--works", "work_names", help="Comma-separated; default: all of them.")
@click.option("--peers", "peer_names", default=DEFAULT_PEERS, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), help="Default: 5, with --quick 2.")
@click.option("--seconds", type=click.FloatRange(min=0.2), help="Default: 3, with --quick 1.")
@click.option("--quick", is_flag=True, help="Short rounds and fewer connections.")
@click.option("--pin/--no-pin", default=True, show_default=True, help="Proxy on its own CPU.")
@click.option("--congestion", help="TCP congestion control, in a network namespace (root).")
@click.option("--spliceproxy-command", help="For example 'python -m spliceproxy'.")
@click.option("--variant", "variants", multiple=True, help="NAME=OPTIONS: spliceproxy with them.")
@click.option("--json", "json_path", type=OUTPUT_PATH, help="Write the figures there.")
@click.option("--markdown", "markdown_path", type=OUTPUT_PATH, help="Put the tables in this page.")
@click.option("--picture", "picture_path", type=OUTPUT_PATH, help="Draw a PNG or SVG.")
def command(
    *,
    work_names: str | None,
    peer_names: str,
    rounds: int | None,
    seconds: float | None,
    quick: bool,
    pin: bool,
    congestion: str | None,
    spliceproxy_command: str | None,
    variants: tuple[str, ...],
    json_path: Path | None,
    markdown_path: Path | None,
    picture_path: Path | None,
) -> None:
    """Compare speed, CPU and memory of proxies, as ratios within each round."""
    outputs = campaign.Outputs("proxy", json_path, markdown_path, picture_path)
    start = shlex.split(spliceproxy_command or "") or peers.SPLICEPROXY_COMMAND
    fitting = proxy_configs.most_connections()
    steps = growth_steps(quick=quick, fitting=fitting)
    works = catalogue(1_000 if quick else 2_500, steps)
    known_peers = peers.built_in(start)
    try:
        chosen_works = selection.pick(work_names or ",".join(works), works, "work")
        chosen_peers = selection.pick(peer_names, known_peers, "peer")
        chosen_peers += [selection.variant(text, start) for text in variants]
        outputs.check()
    except BenchError as error:
        raise click.UsageError(str(error)) from None
    chosen_names = {work.name for work in chosen_works}
    asked = campaign.Campaign(
        command=campaign.repeatable(sys.argv[1:]),
        works=chosen_works,
        peers=chosen_peers,
        round_count=rounds or (2 if quick else 5),
        seconds=seconds or (1.0 if quick else 3.0),
        where=Placement.pinned() if pin else Placement(),
        remarks=remarks(chosen_names, steps, fitting),
    )
    campaign.end_children_on_termination()
    try:
        if congestion:
            network.enter_own_network(congestion)
        outputs.deliver(asked.run(), peers.SPLICEPROXY)
    except (BenchError, OSError) as error:
        raise click.ClickException(str(error)) from None


def growth_steps(*, quick: bool, fitting: int) -> tuple[int, ...]:
    """Return the numbers of open connections to try, the last one cut to what fits."""
    wanted = (10, 1_000) if quick else (10, 100, 1_000, 10_000)
    return tuple(dict.fromkeys(min(step, fitting) for step in wanted))


def remarks(works: set[str], steps: tuple[int, ...], fitting: int) -> list[str]:
    """Return what this machine does not allow, for the works that it concerns."""
    found: list[str] = []
    if "growth" in works and steps[-1] == fitting:
        found.append(f"more than {steps[-1]:,} open connections: the limit on open files")
    if "idle" in works and not memory.can_shrink_slabs():
        found.append("exact host memory: slabs cannot be shrunk without root")
    return found
