"""`python -m tools.bench proxy`: spliceproxy beside HAProxy, nginx stream and socat."""

from __future__ import annotations

import click

from tools.bench import memory, peers, proxy_configs, selection
from tools.bench.commands.asked import Asked, asks, starts_spliceproxy
from tools.bench.errors import BenchError
from tools.bench.works.catalogue import catalogue

DEFAULT_PEERS = "spliceproxy,spliceproxy-pool,haproxy,haproxy-auto,nginx,socat,direct"


@click.command()
@asks
@starts_spliceproxy
@click.option("--variant", "variants", multiple=True, help="NAME=OPTIONS: spliceproxy with them.")
def command(*, asked: Asked, start: list[str], variants: tuple[str, ...]) -> None:
    """Compare speed, CPU and memory of proxies, as ratios within each round."""
    fitting = proxy_configs.most_connections()
    steps = growth_steps(quick=asked.quick, fitting=fitting)
    try:
        works, chosen_peers = asked.pick(
            catalogue(1_000 if asked.quick else 2_500, steps), peers.built_in(start), DEFAULT_PEERS
        )
        chosen_peers += [selection.variant(text, start) for text in variants]
        outputs = asked.outputs("proxy")
    except BenchError as error:
        raise click.UsageError(str(error)) from None
    told = remarks({work.name for work in works}, steps, fitting)
    asked.run(asked.plan(works, chosen_peers, remarks=told), outputs, peers.SPLICEPROXY)


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
