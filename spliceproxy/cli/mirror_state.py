"""How a mirror is, for people."""

import time
from collections.abc import Mapping
from typing import Any

from spliceproxy.cli.columns import human_seconds

MARKS = {"ok": "", "failing": "bad"}
"""How a state is marked; the others are a warning."""


def why_ill(mirror: Mapping[str, Any]) -> str:
    """Return why a mirror is behind or failing, and for how long; empty if it is neither."""
    if mirror["state"] not in ("behind", "failing"):
        return ""
    return f"{mirror['reason']}, for {human_seconds(max(0.0, time.time() - mirror['since']))}"
