"""What a replay says before its end; it may have a line on the terminal that it rewrites."""

import sys

ERASE = "\r\x1b[K"  # ECMA-48: to the beginning, and erase to the line's end


def announce(text: str) -> None:
    """Write one line for the user."""
    erase = ERASE if sys.stderr.isatty() else ""
    print(f"{erase}spliceproxy: {text}", file=sys.stderr, flush=True)  # noqa: T201
