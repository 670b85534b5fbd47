"""What is told at the end: the sum, and how to go on where a slice is incomplete."""

from collections.abc import Iterator, Sequence

from tools.companions.send.stream import Account


def summary(accounts: Sequence[Account], duration_s: float) -> str:
    """Return the counts of all connections in one line."""
    total_bytes, taken_bytes, acknowledged_bytes, returned_bytes, segments = (
        sum(values)
        for values in zip(
            *(
                (
                    one.length,
                    one.taken_bytes,
                    one.acknowledged_bytes,
                    one.returned_bytes,
                    one.segments,
                )
                for one in accounts
            ),
            strict=True,
        )
    )
    mb_per_s = taken_bytes / 1e6 / max(duration_s, 1e-6)
    unit = "segment" if segments == 1 else "segments"
    line = (
        f"{taken_bytes} of {total_bytes} bytes went out in {duration_s:.3f} s "
        f"({mb_per_s:.1f} MB/s) in {segments} {unit}, {acknowledged_bytes} acknowledged"
    )
    return f"{line}, {returned_bytes} came back" if returned_bytes else line


def complaints(accounts: Sequence[Account]) -> Iterator[str]:
    """Yield a line for each connection that did not bring everything over."""
    for one in accounts:
        if one.problem:
            left_bytes = one.length - one.acknowledged_bytes
            yield (
                f"bytes {one.offset} to {one.offset + one.length}: {one.problem}; "
                f"{one.taken_bytes} went out, {one.acknowledged_bytes} acknowledged; resume with "
                f"--offset {one.offset + one.acknowledged_bytes} --length {left_bytes}"
            )
