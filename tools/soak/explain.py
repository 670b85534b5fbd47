"""What explains that a connection did not go as its client meant it to."""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.soak.access_lines import Line
from tools.soak.clients import RESET_BY_BACKEND, RESETTING
from tools.soak.load import Outcome, Visit
from tools.soak.trouble import BackendKill

LATE_LINE_S = 70.0
"""So long after its end a connection may wait for its mirrors until it has its line: those that do
when their worker is killed have none. A command may take a minute, a sink that stalls 10 s."""
SLACK_S = 1.0
"""Between what is done to a process and what it is noted to be, on a busy machine."""


@dataclass(frozen=True)
class Troubles:
    """What was done to one proxy and its backends: seconds since 1970."""

    kills: Sequence[float]
    reloads: Sequence[float]
    backend_kills: Sequence[BackendKill]


def unexplained(visit: Visit, line: Line | None, troubles: Troubles) -> str:
    """Return what is wrong with a connection; empty where all is right, or explained."""
    if visit.outcome in (Outcome.DAMAGED, Outcome.STUCK):
        return f"{visit.kind}: {visit.outcome} {visit.detail}".strip()
    if line is None:
        return "" if _was_killed(visit, troubles) else f"{visit.kind}: no line"
    if line.reason == "closed":
        return _wrong_with_closed(visit, line)
    if _explains(line, visit, troubles):
        return ""
    return f"{visit.kind}: {visit.outcome}, ended by {line.reason}"


def _was_killed(visit: Visit, troubles: Troubles) -> bool:
    late_s = LATE_LINE_S if visit.outcome == Outcome.INTACT else SLACK_S
    return any(visit.started - SLACK_S < at < visit.ended + late_s for at in troubles.kills)


def _wrong_with_closed(visit: Visit, line: Line) -> str:
    if visit.outcome != Outcome.INTACT:
        return f"{visit.kind}: {visit.outcome}, {visit.detail}, and closed by its line"
    if visit.kind in RESETTING | RESET_BY_BACKEND:
        return f"{visit.kind}: closed by its line"
    if (line.request_bytes, line.response_bytes) != (visit.sent_bytes, visit.received_bytes):
        return f"{visit.kind}: other counts than its line's"
    return ""


def _explains(line: Line, visit: Visit, troubles: Troubles) -> bool:
    """Tell whether what was done to the connection has the reason of its line."""
    match line.reason:
        case "client_reset" | "client_left":
            return visit.kind in RESETTING
        case "backend_reset":
            return visit.kind in RESET_BY_BACKEND or any(
                kill.address == line.backend and _during(visit, kill.at)
                for kill in troubles.backend_kills
            )
        case "drain_deadline":
            return any(_during(visit, at) for at in troubles.reloads)
    return False


def _during(visit: Visit, at: float) -> bool:
    return visit.started - SLACK_S < at < visit.ended + SLACK_S
