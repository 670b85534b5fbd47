"""The options that all campaigns of benches have, and what they ask for."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from tools.bench import campaign, network, selection
from tools.bench import peers as built_in
from tools.bench.errors import BenchError
from tools.bench.peers import Peer
from tools.bench.placement import Placement
from tools.bench.works.work import Work

_OUTPUT_PATH = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True)
class Asked:
    """What a command line asks for, whatever is measured."""

    work_names: str | None
    peer_names: str | None
    rounds: int | None
    seconds: float | None
    quick: bool
    pin: bool
    congestion: str | None
    json_path: Path | None
    markdown_path: Path | None
    picture_path: Path | None

    def pick(
        self, works: Mapping[str, Work], peers: Mapping[str, Peer], usual_peers: str = ""
    ) -> tuple[list[Work], list[Peer]]:
        """Return the works and peers that are asked for.

        Raises:
            BenchError: there is none of that name.
        """
        names = self.peer_names or usual_peers or ",".join(peers)
        return (
            selection.pick(self.work_names or ",".join(works), works, "work"),
            selection.pick(names, peers, "peer"),
        )

    def outputs(self, name: str) -> campaign.Outputs:
        """Return where results go; what cannot be written is to be told before all else.

        Raises:
            BenchError: a page has no place for them.
        """
        outputs = campaign.Outputs(name, self.json_path, self.markdown_path, self.picture_path)
        outputs.check()
        return outputs

    def plan(self, works: Sequence[Work], peers: Sequence[Peer], **more: Any) -> campaign.Campaign:
        """Return what is to be run; `more` is what `Campaign` has beside."""
        return campaign.Campaign(
            command=campaign.repeatable(sys.argv[1:]),
            works=works,
            peers=peers,
            round_count=self.rounds or (2 if self.quick else 5),
            seconds=self.seconds or (1.0 if self.quick else 3.0),
            where=Placement.pinned() if self.pin else Placement(),
            **more,
        )

    def run(self, asked: campaign.Campaign, outputs: campaign.Outputs, subject: str) -> None:
        """Run it, and hand out what it has found about the subject.

        Raises:
            ClickException: it has failed.
        """
        campaign.end_children_on_termination()
        try:
            if self.congestion:
                network.enter_own_network(self.congestion)
            outputs.deliver(asked.run(), subject)
        except (BenchError, OSError) as error:
            raise click.ClickException(str(error)) from None


_OPTIONS = (
    click.option("--works", "work_names", help="Comma-separated; default: all of them."),
    click.option("--peers", "peer_names", help="Comma-separated; default: all of them."),
    click.option("--rounds", type=click.IntRange(min=1), help="Default: 5, with --quick 2."),
    click.option("--seconds", type=click.FloatRange(min=0.2), help="Default: 3, with --quick 1."),
    click.option("--quick", is_flag=True, help="Short rounds, fewer bytes and connections."),
    click.option(
        "--pin/--no-pin", default=True, show_default=True, help="What is measured on its own CPU."
    ),
    click.option("--congestion", help="TCP congestion control, in a network namespace (root)."),
    click.option("--json", "json_path", type=_OUTPUT_PATH, help="Write the figures there."),
    click.option(
        "--markdown", "markdown_path", type=_OUTPUT_PATH, help="Put the tables in this page."
    ),
    click.option("--picture", "picture_path", type=_OUTPUT_PATH, help="Draw a PNG or SVG."),
)


def asks(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the common options; it gets them as `asked`."""

    @functools.wraps(function)
    def gather(**values: Any) -> None:
        common = {field.name: values.pop(field.name) for field in fields(Asked)}
        function(asked=Asked(**common), **values)

    return functools.reduce(lambda made, option: option(made), reversed(_OPTIONS), gather)


def starts_spliceproxy(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option of another spliceproxy; it gets the command line as `start`."""

    @functools.wraps(function)
    def gather(*, spliceproxy_command: str | None, **values: Any) -> None:
        start = shlex.split(spliceproxy_command or "") or built_in.SPLICEPROXY_COMMAND
        function(start=start, **values)

    help_text = "For example 'python -m spliceproxy'."
    return click.option("--spliceproxy-command", help=help_text)(gather)


def gigabytes_option(usually: float, quick: float, most: int) -> Callable[..., Any]:
    """Return the option of how much a bulk transfer moves."""
    return click.option(
        "--gigabytes",
        type=click.FloatRange(min=0.01, max=most),
        help=f"In bulk, for each measurement. Default: {usually:g}, with --quick {quick:g}.",
    )
