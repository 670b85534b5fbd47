"""`python -m tools.bench tls`: TLS terminated in front of a plain backend."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from tools.bench import peers, tls_bounds, tls_peers
from tools.bench.commands.asked import Asked, asks, gigabytes_option, starts_spliceproxy
from tools.bench.errors import BenchError
from tools.bench.tls_files import TlsFiles
from tools.bench.works import terminated


@click.command()
@asks
@starts_spliceproxy
@gigabytes_option(1, 0.3, most=4)
def command(*, asked: Asked, start: list[str], gigabytes: float | None) -> None:
    """Compare proxies that terminate TLS, as ratios within each round."""
    bulk_bytes = int((gigabytes or (0.3 if asked.quick else 1)) * 1e9)
    works = terminated.catalogue(bulk_bytes, 500 if asked.quick else 2_500)
    with tempfile.TemporaryDirectory(prefix="bench-tls-") as directory:
        files = TlsFiles(Path(directory))
        try:
            chosen_works, chosen_peers = asked.pick(works, tls_peers.built_in(start, files))
            outputs = asked.outputs("tls")
        except BenchError as error:
            raise click.UsageError(str(error)) from None
        try:
            files.make()
        except BenchError as error:
            raise click.ClickException(str(error)) from None
        more = {"notes": tls_peers.NOTES, "standard": tls_bounds.STANDARD}
        asked.run(asked.plan(chosen_works, chosen_peers, **more), outputs, peers.SPLICEPROXY)
