#!/usr/bin/env python3
"""Entry point of the benchmarks: `python -m tools.bench SUBCOMMAND`."""

import sys
from pathlib import Path

import click

if not __package__:  # started as a file: the repository's root is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.bench.commands import handshakes, mirror, origin, proxy, replay, scrape, tls, transfer


@click.group()
def main() -> None:
    """Compare proxies, servers and techniques on this machine, side by side."""


main.add_command(proxy.command, "proxy")
main.add_command(handshakes.command, "handshakes")
main.add_command(mirror.command, "mirror")
main.add_command(origin.command, "origin")
main.add_command(replay.command, "replay")
main.add_command(scrape.command, "scrape")
main.add_command(tls.command, "tls")
main.add_command(transfer.command, "transfer")

if __name__ == "__main__":
    main()
