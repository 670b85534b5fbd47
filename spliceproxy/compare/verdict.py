"""What a comparison comes to, in sentences; the terminal and the page say the same."""

from spliceproxy.compare.comparison import CompareResult

QUANTILES = (0.5, 0.9, 0.99, 1.0)


def verdict(result: CompareResult) -> str:
    """Return the answer to the question that was asked."""
    of = f"{_plural(result.answers, 'answer')} on {_plural(result.connections, 'connection')}"
    if not result.differences:
        return f"No difference in {of}."
    return f"{_plural(len(result.differences), 'difference')} in {of}."


def remarks(result: CompareResult) -> list[str]:
    """Return what one has to know to judge the verdict."""
    told = []
    if result.protocols:
        spoken = ", ".join(f"{name} {count}" for name, count in sorted(result.protocols.items()))
        told.append(f"Protocols, by connections: {spoken}.")
    if result.noise:
        told.append(f"{_plural(len(result.noise), 'further difference')} counted as noise.")
    for count, what in _left_out(result):
        if count:
            told.append(f"{count:,} {what.format('' if count == 1 else 's')}.")
    return told


def _left_out(result: CompareResult) -> list[tuple[int, str]]:
    """Return how many of what were not compared, or not wholly."""
    unreadable = (len(result.complaints), "segment{} of a capture with a part that can't be read")
    if not result.is_live:
        return [
            (result.unmatched, "recorded connection{} not replayed: not compared"),
            (result.incomplete, "recorded connection{} with missing bytes: not compared"),
            (result.strangers, "replayed connection{} of no recorded one"),
            unreadable,
        ]
    return [
        (result.unmatched, "connection{} without recorded answers of a mirror: not compared"),
        (result.begun_before, "connection{} begun before: not compared"),
        (result.strangers, "connection{} to a mirror whose own is not in the capture"),
        (
            result.cut_off,
            "mirrored connection{} cut off, or with missing bytes: compared up to there",
        ),
        (result.far_behind, "connection{} with a mirror too far behind: compared up to there"),
        (result.under_way, "connection{} under way: compared up to now"),
        (result.forgotten, "connection{} whose end has never come: compared up to there"),
        unreadable,
    ]


def show_seconds(seconds: float | None) -> str:
    """Return a latency with the unit that suits it."""
    if seconds is None:
        return "-"
    for unit, factor in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1 or unit == "µs":
            break
    return f"{seconds * factor:.3g} {unit}"


def show_quantile(fraction: float) -> str:
    """Return the name of a quantile."""
    return "max" if fraction == 1 else f"p{fraction * 100:g}"


def _plural(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
