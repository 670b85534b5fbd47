"""`spliceproxy capture connections`: the connections, one a line."""

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from spliceproxy.cli.capture.choice import Choice, choosing
from spliceproxy.cli.capture.reading import of_directory, reading
from spliceproxy.cli.columns import align_row, human_bytes, human_seconds, printable
from spliceproxy.errors import ExitStatus
from spliceproxy.formats.timestamps import timestamp_at

if TYPE_CHECKING:
    from spliceproxy.capture import Connection

_COLUMNS = {
    "connection": 24,
    "began": 27,
    "duration": 8,
    "route": 10,
    "client": 21,
    "backend": 21,
    "request": 8,
    "response": 8,
    "gaps": 4,
    "reason": 6,
}
"""With widths that most cells keep to: lines are printed as they are found."""
_FACTS = (
    *("route", "client", "peer", "listener", "backend", "backend_name", "server_name"),
    *("mirror", "mirror_of"),
)


@click.command()
@of_directory
@partial(choosing, by_end=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each connection.")
def connections(directory: str, *, as_json: bool, **chosen: Any) -> ExitStatus:
    """List the connections of a capture: as they have ended, then those that go on."""
    choice = Choice(**chosen)
    with reading(directory) as found:
        if not as_json:
            click.echo(align_row(list(_COLUMNS), list(_COLUMNS.values())))
        for connection in filter(choice.fits, found.capture.connections()):
            click.echo(json.dumps(_describe(connection)) if as_json else _line(connection))
    return found.status


def _line(connection: "Connection") -> str:
    facts = connection.facts
    cells = (
        f"{connection.id!s:23} ",  # to the left, though it may look like a number
        timestamp_at(connection.began_ns / 1e9),
        human_seconds(_duration_s(connection)),
        *(facts.get(name) or "-" for name in ("route", "client", "backend")),
        human_bytes(connection.request_bytes),
        human_bytes(connection.response_bytes),
        connection.gaps,
        connection.reason or "-",
    )
    return align_row([printable(str(cell)) for cell in cells], list(_COLUMNS.values()))


def _duration_s(connection: "Connection") -> float:
    """Return what the log says; the capture has the end of it when its mirrors are done, too."""
    told = (connection.closed or {}).get("duration_s")
    if isinstance(told, int | float):
        return float(told)
    return (connection.last_ns - connection.began_ns) / 1e9


def _describe(connection: "Connection") -> dict[str, object]:
    return {
        "connection": str(connection.id),
        "began": timestamp_at(connection.began_ns / 1e9),
        "last": timestamp_at(connection.last_ns / 1e9),
        "duration_s": _duration_s(connection),
        **{name: connection.facts.get(name) for name in (*_FACTS, "tls", "tlvs")},
        "request_bytes": connection.request_bytes,
        "response_bytes": connection.response_bytes,
        "missing_bytes": connection.missing_bytes,
        "gaps": connection.gaps,
        "begins_mid_stream": connection.begins_mid_stream,
        "is_whole": connection.is_whole,
        "ends": connection.ends,
        "reason": connection.reason or None,
    }
