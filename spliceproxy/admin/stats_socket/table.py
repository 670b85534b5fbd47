"""`show stat`: a table as HAProxy's, with the rows of a `listen` section for each route."""

import csv
import io
from collections.abc import Iterable, Iterator

from spliceproxy.admin.stats_socket.commands import ANY, ShowStat
from spliceproxy.admin.stats_socket.fields import BACKEND, FIELDS, FRONTEND, SERVER
from spliceproxy.observe.status import BackendStatus, MirrorStatus, RouteStatus, Status

Row = dict[str, object]

SERVER_STATES = {
    "up": "UP",
    "down": "DOWN",
    "ejected": "DOWN",
    "draining": "DRAIN",
    "disabled": "MAINT",
}
_MIRROR_STATES = {
    "ok": "UP",
    "behind": "UP 1/2",  # of a server: it is about to go down
    "failing": "DOWN",
    "off": "MAINT",
    "closing": "DRAIN",
}
_MIRROR = "mirror:"
"""What their names begin with: a mirror and a backend may have the same place."""
_ALGORITHMS = {
    "round_robin": "roundrobin",
    "least_connections": "leastconn",
    "random_two": "random",
    "source_hash": "source",
    "first": "first",
}
_FIRST_IID = 2  # HAProxy's first one is the socket itself
_SERVER_ABORTS = ("backend_reset", "backend_timed_out", "backend_unreachable")
_CLIENT_ABORTS = ("client_reset", "client_timed_out", "client_unreachable", "client_left")


def write_table(rows: Iterable[Row]) -> str:
    """Return the header and the rows; each line has an empty value at its end, as HAProxy's."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=",\n")
    text.write("# ")
    writer.writerow(FIELDS)
    for row in rows:
        writer.writerow([_value(row.get(field, "")) for field in FIELDS])
    return text.getvalue()


def _value(value: object) -> str:
    # Clients read line by line, whatever is quoted.
    return "".join(char if char.isprintable() else "?" for char in str(value))


def select_rows(status: Status, wanted: ShowStat) -> Iterator[Row]:
    """Return the rows of what is asked for."""
    for iid, route in enumerate(status.routes, _FIRST_IID):
        if wanted.proxy not in (ANY, iid, route.name):
            continue
        for row in _route_rows(route, iid, draining=status.draining):
            kind = row["type"]
            assert isinstance(kind, int)  # noqa: S101 - set below
            if wanted.kinds & 1 << kind and wanted.sid in (ANY, row["sid"]):
                yield row


def _route_rows(route: RouteStatus, iid: int, *, draining: bool) -> Iterator[Row]:
    common: Row = {"pxname": route.name, "pid": 1, "iid": iid, "mode": "tcp"}
    yield common | _frontend(route, draining=draining)
    for sid, backend in enumerate(route.backends, 1):
        yield common | {"sid": sid} | _server(backend)
    alive = [mirror for mirror in route.mirrors if mirror.is_alive]
    for sid, mirror in enumerate(alive, len(route.backends) + 1):
        yield common | {"sid": sid} | _mirror(mirror)
    yield common | _backend(route)


def _frontend(route: RouteStatus, *, draining: bool) -> Row:
    return {
        "svname": "FRONTEND",
        "type": FRONTEND,
        "sid": 0,
        "status": "STOP" if draining else "OPEN",
        "scur": route.active,
        "slim": route.limit,
        "stot": route.accepted,
        "conn_tot": route.accepted,
        "bin": route.request_bytes,
        "bout": route.response_bytes,
        "dcon": sum(route.refused.values()),
    }


def _server(backend: BackendStatus) -> Row:
    return {
        "svname": backend.name,
        "type": SERVER,
        "status": SERVER_STATES[backend.state],
        "last_chk": backend.reason,
        "scur": backend.active,
        "stot": backend.connections,
        "lbtot": backend.connections,
        "bin": backend.request_bytes,
        "bout": backend.response_bytes,
        "econ": sum(backend.failed.values()),
        "weight": backend.weight,
        "uweight": backend.weight,
        "act": int(not backend.backup),
        "bck": int(backend.backup),
        "addr": backend.name,
    }


def _mirror(mirror: MirrorStatus) -> Row:
    """A backup of no weight: nobody takes it for one that clients are sent to."""
    return {
        "svname": _MIRROR + mirror.name,
        "type": SERVER,
        "status": _MIRROR_STATES[mirror.state],
        "check_status": mirror.state,
        "last_chk": mirror.reason,
        "scur": mirror.open,
        "stot": mirror.streams,
        "bin": mirror.delivered_bytes,
        "eresp": mirror.incomplete,
        "weight": 0,
        "uweight": 0,
        "act": 0,
        "bck": 1,
        "addr": mirror.name,
    }


def _backend(route: RouteStatus) -> Row:
    usable = [one for one in route.backends if one.state == "up"]
    backups = [one for one in usable if one.backup]
    weight = sum(one.weight for one in usable if not one.backup)
    return {
        "svname": "BACKEND",
        "type": BACKEND,
        "sid": 0,
        "status": "UP" if usable else "DOWN",
        "scur": sum(one.active for one in route.backends),
        "stot": sum(one.connections for one in route.backends),
        "lbtot": sum(one.connections for one in route.backends),
        "bin": route.request_bytes,
        "bout": route.response_bytes,
        "econ": sum(sum(one.failed.values()) for one in route.backends),
        "cli_abrt": sum(route.ended.get(why, 0) for why in _CLIENT_ABORTS),
        "srv_abrt": sum(route.ended.get(why, 0) for why in _SERVER_ABORTS),
        "weight": weight,
        "uweight": weight,
        "act": len(usable) - len(backups),
        "bck": len(backups),
        "algo": _ALGORITHMS.get(route.balance, route.balance),
    }
