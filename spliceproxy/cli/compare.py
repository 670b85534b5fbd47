"""The subcommand that tells what differs between recorded answers and those of another version."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spliceproxy.cli.readers import reads
from spliceproxy.cli.substitute_options import substituting
from spliceproxy.errors import ExitStatus, UsageProblem, quote
from spliceproxy.settings.address import BACKEND_FORMS, Address, parse_backend
from spliceproxy.settings.bounds import parse_timeout

if TYPE_CHECKING:
    from spliceproxy.compare.comparison import CompareOptions
    from spliceproxy.replay.value_patterns import ValuePattern

_DIRECTORY = click.Path(path_type=Path, readable=False)  # whoever reads it says more


def _percentage(text: str) -> float:
    number = text.removesuffix("%")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if number == text or not 0 <= value <= 100:
        raise ValueError(f"{quote(text)} is no percentage: expected such as 20%")
    return value / 100


@click.command()
@click.argument("recorded", metavar="DIR", type=_DIRECTORY)
@click.option(
    *("--answers", "answers"),
    metavar="DIR",
    type=_DIRECTORY,
    help="The new version's answers: what replay --record has written.",
)
@click.option(
    *("--noise", "noise"),
    metavar="DIR",
    type=_DIRECTORY,
    help="The old version's answers in a replay; what differs there, too, is noise.",
)
@click.option(
    *("--new", "new"),
    metavar="ADDRESS",
    callback=reads(parse_backend),
    help=f"Replay against the new version there, instead of --answers: {BACKEND_FORMS}.",
)
@click.option(
    *("--old", "old"),
    metavar="ADDRESS",
    callback=reads(parse_backend),
    help="Replay against the old version, too, instead of --noise.",
)
@click.option(
    "--live",
    is_flag=True,
    help="The new answers are those of a mirror with answers=capture:DIR, in DIR itself.",
)
@click.option("--follow", "follows", is_flag=True, help="The same, as they come, until a signal.")
@click.option(
    *("--mirror", "mirror"),
    metavar="PATTERN",
    help="With --live or --follow: of this mirror, such as 'tcp://10.0.0.2:*'; by default of all.",
)
@click.option(
    *("--old-mirror", "old_mirror"),
    metavar="PATTERN",
    help="A mirror that is the old version: what differs there, too, is noise.",
)
@click.option(
    "--keep", "kept", type=_DIRECTORY, metavar="DIR", help="Keep these replays, as new and old."
)
@click.option(
    *("--answer-timeout", "answer_timeout_s"),
    default="5s",
    show_default=True,
    metavar="TIME",
    callback=reads(parse_timeout),
    help="In a replay, wait so long where fewer bytes are answered than were recorded.",
)
@substituting
@click.option(
    *("--protocol", "protocol"),
    metavar="NAME",
    help="redis, http1, postgres, lines, raw, length:OPTIONS, or that of another package;"
    " by default what each connection looks like.",
)
@click.option(
    *("--ignore", "ignored"),
    metavar="PATTERN",
    multiple=True,
    help="A field by its path, with * and ?, such as header.date; or re:EXPRESSION for"
    " parts of values. Repeatable.",
)
@click.option(
    *("--relative-noise", "relative"),
    metavar="PERCENT",
    default="20%",
    show_default=True,
    callback=reads(_percentage),
    help="How much of all that differs must be beyond noise.",
)
@click.option(
    *("--absolute-noise", "absolute"),
    metavar="PERCENT",
    default="0.03%",
    show_default=True,
    callback=reads(_percentage),
    help="How many of all answers must differ beyond noise.",
)
@click.option(
    "--samples", type=click.IntRange(0, 100), default=3, show_default=True, help="Kept of each."
)
@click.option(
    "--report", type=_DIRECTORY, metavar="FILE", help="Write all into an SQLite database."
)
@click.option(
    "--html", type=_DIRECTORY, metavar="FILE", help="Write a page that shows it to colleagues."
)
def compare(
    *,
    recorded: Path,
    new: Address | None,
    old: Address | None,
    kept: Path | None,
    answer_timeout_s: float,
    substitutes: tuple["ValuePattern", ...],
    substitutes_across: bool,
    live: bool,
    follows: bool,
    report: Path | None,
    html: Path | None,
    **given: Any,
) -> int:
    """Tell what differs between recorded answers and those of another version.

    DIR is what a capture: mirror has written. Exit status 1 when something differs.
    """
    from spliceproxy.cli.compare_replays import WantedReplays, replayed

    is_live = live or follows
    _check_sources(given["answers"], given["noise"], new, old, is_live=is_live)
    _check_mirrors(given["mirror"], given["old_mirror"], is_live=is_live)
    options = _options(recorded, **given)
    if is_live:
        from spliceproxy.cli.compare_live import compare_live

        return compare_live(options, report, html, follows=follows)
    if new is None:
        if substitutes:
            raise UsageProblem("--substitute is for replays", "give it to spliceproxy replay")
        return _compare(options, report, html)
    wanted = WantedReplays(
        recorded, new, old, kept, answer_timeout_s, substitutes, substitutes_across
    )
    with replayed(wanted) as replays:
        options = replace(options, answers=replays.answers, noise=replays.noise)
        status = _compare(options, report, html)
    if not replays.is_complete:
        click.echo("spliceproxy: not all connections could be replayed to their ends", err=True)
        return ExitStatus.DIFFERENT
    return status


def _check_sources(
    answers: Path | None,
    noise: Path | None,
    new: Address | None,
    old: Address | None,
    *,
    is_live: bool,
) -> None:
    """See that there is one way to the new answers, and to the old ones the same at most."""
    if is_live and any(each is not None for each in (answers, noise, new, old)):
        raise UsageProblem(
            "compare: --live and --follow have answers of mirrors alone",
            "leave out --answers, --noise, --new and --old; --old-mirror tells what is noise",
        )
    if not is_live and (answers is None) == (new is None):
        raise UsageProblem(
            "compare: one of --answers and --new is needed", "or --live or --follow; see --help"
        )
    if (new is None and old is not None) or (new is not None and noise is not None):
        raise UsageProblem(
            "compare: two ways to answers are mixed",
            "give --answers and --noise, or --new and --old",
        )


def _check_mirrors(mirror: str | None, old: str | None, *, is_live: bool) -> None:
    """See that mirrors are named where they are asked."""
    if not is_live and (mirror is not None or old is not None):
        raise UsageProblem(
            "compare: --mirror and --old-mirror have no effect", "add --live or --follow"
        )


def _options(
    recorded: Path,
    *,
    answers: Path | None,
    noise: Path | None,
    protocol: str | None,
    ignored: tuple[str, ...],
    relative: float,
    absolute: float,
    samples: int,
    mirror: str | None,
    old_mirror: str | None,
) -> "CompareOptions":
    from spliceproxy.compare.comparison import CompareOptions
    from spliceproxy.compare.ignored import IgnorePatterns
    from spliceproxy.compare.noise import NoiseLimits
    from spliceproxy.framing.protocols import find_protocol

    try:
        patterns = IgnorePatterns(ignored)
    except ValueError as problem:
        raise UsageProblem(f"--ignore: {problem}", "expected such as re:[0-9]+") from None
    return CompareOptions(
        recorded=recorded,
        answers=answers,
        noise=noise,
        protocol=None if protocol is None else find_protocol(protocol),
        ignored=patterns,
        limits=NoiseLimits(relative, absolute),
        samples=samples,
        mirror=mirror,
        old_mirror=old_mirror,
    )


def _compare(options: "CompareOptions", report_path: Path | None, html: Path | None) -> int:
    from spliceproxy.cli.compare_reports import tell
    from spliceproxy.compare.comparison import Comparison
    from spliceproxy.compare.report_file import ReportFile

    with closing(ReportFile(report_path)) as report:
        with closing(Comparison(options, report)) as comparison:
            result = comparison.run()
        return tell(report, options, result, html)
