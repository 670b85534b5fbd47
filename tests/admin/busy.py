"""A proxy with something to tell: routes, backends in each state, mirrors, connections."""

import math
import time
from typing import Any

from spliceproxy.ipc.rows import BUCKETS
from spliceproxy.observe.status import (
    BackendStatus,
    Histogram,
    MirrorStatus,
    RouteStatus,
    Status,
    WorkerStatus,
)

MIB = 1 << 20
HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m"


def busy(step: int = 0) -> Status:
    """Return what is told at a step: counters grow from one to the next."""
    return Status(
        version="0.1.0",
        pid=4100,
        started=time.time() - 93_600,
        generation=3,
        draining=False,
        reloads={"success": 2, "failure": 0},
        last_reload="",
        log_level="info",
        workers=[_worker(slot, step) for slot in (0, 1)],
        routes=[_web(step), _postgres(step)],
    )


def _worker(slot: int, step: int) -> WorkerStatus:
    return WorkerStatus(
        slot=slot,
        number=slot + 1,
        generation=3,
        pid=4101 + slot,
        state="serving",
        started=time.time() - 93_600,
        heartbeat_age_s=0.4,
        connections=600 + slot,
        pipes_in_use=12,
        pipes_idle=64,
        pipes_bytes=76 * MIB,
        mirror_pipes_in_use=20,
        mirror_pipes_idle=12,
        mirror_pipes_bytes=32 * MIB,
        mirror_held_bytes=39 * MIB,
        mirror_budget_bytes=1024 * MIB,
        batches=1000 * step,
        batch_seconds=Histogram([0] * BUCKETS),
    )


def _web(step: int) -> RouteStatus:
    return RouteStatus(
        name="web",
        listeners=["0.0.0.0:443", "[::]:443"],
        balance="least_connections",
        backends=[
            _backend("10.0.1.11:8443", step, 3, state="up", weight=2, active=612),
            _backend("10.0.1.12:8443", step, 2, state="up", active=488, failed={"timeout": 3}),
            _backend("10.0.1.13:8443", step, 0, state="down", reason="check: connection refused"),
            _backend("10.0.1.14:8443", step, 0, state="draining", active=41, reason="operator"),
            _backend("10.0.2.20:8443", step, 0, state="up", backup=True),
        ],
        mirrors=[
            _mirror("shadow", step, overflow="spill", lag_bytes=37 * MIB, open=119),
            _mirror("audit", step, lag_bytes=2 * MIB, open=1141, incomplete=2, dropped_bytes=4096),
        ],
        accepted=88_210 + 37 * step,
        active=1141,
        limit=20_000,
        request_bytes=(40 + 3 * step) * MIB,
        response_bytes=_uneven(900, 58, step),
        spliced_bytes=(930 + 60 * step) * MIB,
        copied_bytes=10 * MIB,
        ended={"closed": 86_000, "client_reset": 812, "idle_timeout": 5},
        refused={"denied": 44},
    )


def _postgres(step: int) -> RouteStatus:
    return RouteStatus(
        name="postgres",
        listeners=["unix:/run/pg/.s.PGSQL.5432"],
        balance="first",
        backends=[_backend("db-1.internal:5432", step, 4, state="up", active=60)],
        mirrors=[],
        accepted=912 + step,
        active=60,
        limit=500,
        request_bytes=(12 + step) * MIB,
        response_bytes=_uneven(230, 6, step),
        ended={"closed": 852},
    )


def _uneven(first_mib: int, each_mib: int, step: int) -> int:
    """Return bytes that grow by more at some steps than at others, and never shrink."""
    growth = each_mib * (step + 2.5 * math.sin(step / 5) + math.sin(step / 1.9) / 2)
    return int((first_mib + growth) * MIB)


def _backend(name: str, step: int, share: int, **details: Any) -> BackendStatus:
    given = {"reason": "", "weight": 1, "backup": False, "failed": {}, **details}
    return BackendStatus(
        name=name,
        connections=share * (1000 + 12 * step),
        request_bytes=share * (8 + step) * MIB,
        response_bytes=share * (200 + 12 * step) * MIB,
        connect_seconds=Histogram([0] * BUCKETS),
        **given,
    )


def _mirror(name: str, step: int, **details: Any) -> MirrorStatus:
    given = {"overflow": "gap", **details}
    return MirrorStatus(
        name=name,
        direction="request",
        sample=1.0,
        state="ok",
        offered_bytes=(40 + 3 * step) * MIB,
        delivered_bytes=(38 + 3 * step) * MIB,
        dropped={"overflow": given.get("dropped_bytes", 0)},
        **given,
    )


def busy_connections(step: int = 0) -> list[dict[str, Any]]:
    """Return some of its connections."""
    return [_connection(number, step) for number in range(24)]


def _connection(number: int, step: int) -> dict[str, Any]:
    return {
        "number": f"{number % 2}-{4711 + number}",
        "route": "web" if number % 5 else "postgres",
        "listener": "0.0.0.0:443",
        "client": f"203.0.113.{number + 10}:{40_000 + 7 * number}",
        "backend": "10.0.1.11:8443" if number % 5 else "db-1.internal:5432",
        "age_s": 3.5 * (number + 1) ** 2,
        "idle_s": 0.2 * number,
        "request_bytes": 1000 * number * (step + 3),
        "response_bytes": MIB * number * (step + 1) // 3,
        "state": "open" if number else "connecting",
        "mirrors": None,
    }


class BusyClient:
    """Asks a busy proxy; each question for its status is a step."""

    def __init__(self) -> None:
        self.steps = 0
        self.listed = 0
        self.problem: Exception | None = None
        self.hostile = False

    def get(self, path: str, **query: str) -> Any:
        if self.problem is not None:
            raise self.problem
        if path == "/api/connections":
            self.listed += 1
            return {"found": busy_connections(self.steps), "silent": []}
        assert path == "/api/status"
        self.steps += 1
        status = busy(self.steps).as_json()
        if self.hostile:
            status["routes"][0]["backends"][0]["reason"] = HOSTILE
        return status
