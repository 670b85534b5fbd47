"""`python -m tools.bench mirror`: what each kind of mirror costs, beside HAProxy with tcpdump."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from tools.bench import machine, mirror_bounds, mirror_peers
from tools.bench.commands.asked import Asked, asks, gigabytes_option, starts_spliceproxy
from tools.bench.errors import BenchError
from tools.bench.works import mirrored


@click.command()
@asks
@starts_spliceproxy
@gigabytes_option(2, 0.5, most=8)
def command(*, asked: Asked, start: list[str], gigabytes: float | None) -> None:
    """Compare mirrors with no mirror, as ratios within each round.

    Root is needed for tcpdump. Audit files and captures go to TMPDIR.
    """
    works = mirrored.catalogue(int((gigabytes or (0.5 if asked.quick else 2)) * 1e9))
    try:
        chosen_works, chosen_peers = asked.pick(works, mirror_peers.built_in(start))
        outputs = asked.outputs("mirror")
    except BenchError as error:
        raise click.UsageError(str(error)) from None
    more = {"notes": notes(), "standard": mirror_bounds.STANDARD}
    asked.run(asked.plan(chosen_works, chosen_peers, **more), outputs, "mirrors")


def notes() -> list[str]:
    directory = tempfile.gettempdir()
    file_system = machine.file_system(Path(directory), Path("/proc/self/mounts").read_text())
    return [
        f"audit files and captures: {directory} ({file_system}), removed after each measurement",
        mirror_peers.HAPROXY_TCPDUMP_NOTE,
        "iperf3 cuts its stream when it has sent all: what is on its way then is not mirrored",
    ]
