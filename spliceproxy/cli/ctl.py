"""`spliceproxy ctl`: what a running proxy is doing, and orders to it."""

import json
from collections.abc import Iterator
from typing import Any

import click

from spliceproxy.cli.admin_client import AdminClient
from spliceproxy.cli.asking import AskedProxy, asking
from spliceproxy.cli.columns import align, by_reason, human_bytes, human_seconds
from spliceproxy.cli.ctl_mirror import mirror
from spliceproxy.cli.mirror_state import why_ill
from spliceproxy.cli.options import LOG_LEVELS
from spliceproxy.errors import ExitStatus
from spliceproxy.settings.units import format_percent


class Ctl:
    """The proxy to ask, and how to print what it says."""

    def __init__(self, client: AdminClient, *, as_json: bool) -> None:
        self.client = client
        self._as_json = as_json

    def print(self, answer: Any, text: str) -> int:
        """Print an answer: whole, or as a text for people."""
        click.echo(json.dumps(answer, indent=2) if self._as_json else text)
        for silence in answer.get("silent", ()):
            click.echo(f"incomplete: {silence}", err=True)
        return ExitStatus.REFUSED if answer.get("silent") else ExitStatus.OK


@click.group()
@asking
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer as JSON.")
@click.pass_context
def ctl(ctx: click.Context, *, asked: AskedProxy, as_json: bool) -> None:
    """Ask a running proxy what it is doing, and give it orders."""
    ctx.obj = Ctl(asked.client(), as_json=as_json)


@ctl.command()
@click.pass_obj
def status(to: Ctl) -> int:
    """Show routes, backends, mirrors and workers."""
    answer = to.client.get("/api/status")
    return to.print(answer, "\n".join(describe(answer)))


def describe(status: dict[str, Any]) -> Iterator[str]:
    """Tell a status, route by route."""
    workers = len(status["workers"])
    state = ", draining" if status["draining"] else ""
    yield (
        f"spliceproxy {status['version']}, pid {status['pid']}, generation "
        f"{status['generation']}, {workers} worker{'s' * (workers != 1)}{state}"
    )
    if status["last_reload"]:
        yield f"the last reload was refused: {status['last_reload']}"
    for route in status["routes"]:
        yield ""
        yield from _describe_route(route)


def _describe_route(route: dict[str, Any]) -> Iterator[str]:
    yield f"route {route['name']} on {', '.join(route['listeners']) or 'no listener of its own'}"
    yield (
        f"  {route['active']} of {route['limit']} connections, {route['accepted']} accepted; "
        f"request {human_bytes(route['request_bytes'])}, "
        f"response {human_bytes(route['response_bytes'])}"
    )
    for title, counts in (("ended", route["ended"]), ("refused", route["refused"])):
        if any(counts.values()):
            yield f"  {title}: {by_reason(counts)}"
    yield _indent(
        align(
            ("backend", "state", "weight", "open", "connections", "failed", "reason"),
            (
                (
                    one["name"],
                    one["state"],
                    f"{one['weight']}{' backup' if one['backup'] else ''}",
                    one["active"],
                    one["connections"],
                    by_reason(one["failed"]),
                    one["reason"],
                )
                for one in route["backends"]
            ),
        )
    )
    if route["mirrors"]:
        yield _indent(
            align(
                ("mirror", "state", "sample", "open", "lag", "delivered", "lost", "why", "reason"),
                (
                    (
                        one["name"],
                        one["state"],
                        format_percent(one["sample"]),
                        one["open"],
                        human_bytes(one["lag_bytes"]),
                        human_bytes(one["delivered_bytes"]),
                        human_bytes(one["dropped_bytes"]),
                        by_reason(one["dropped"]),
                        why_ill(one),
                    )
                    for one in route["mirrors"]
                ),
            )
        )


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


_SELECTING = (
    click.option("--route", help="Of this route."),
    click.option("--backend", help="To this backend."),
    click.option("--client", help="Of this address, or network such as 10.0.0.0/8."),
    click.option("--number", help="The connection's own number."),
)


def selecting(command: Any) -> Any:
    """Add the options that select connections."""
    for option in reversed(_SELECTING):
        command = option(command)
    return command


def _given(selection: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in selection.items() if value is not None}


@ctl.command()
@selecting
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.pass_obj
def connections(to: Ctl, /, *, limit: int, **selection: str | None) -> int:
    """List open connections."""
    answer = to.client.get("/api/connections", limit=str(limit), **_given(selection))
    rows = (
        (
            one["number"],
            one["route"],
            one["client"],
            one["backend"] or "-",
            human_seconds(one["age_s"]),
            human_seconds(one["idle_s"]),
            human_bytes(one["request_bytes"]),
            human_bytes(one["response_bytes"]),
            one["state"],
        )
        for one in answer["found"]
    )
    headings = (
        "number",
        "route",
        "client",
        "backend",
        "age",
        "silent",
        "request",
        "response",
        "state",
    )
    return to.print(answer, align(headings, rows))


@ctl.command()
@selecting
@click.pass_obj
def close(to: Ctl, /, **selection: str | None) -> int:
    """Reset connections."""
    answer = to.client.post("/api/connections/close", **_given(selection))
    return to.print(answer, f"{answer['closed']} closed")


@ctl.command()
@click.argument("route")
@click.argument("backend")
@click.option("--state", type=click.Choice(["up", "drain", "disabled"]), help="What it gets.")
@click.option("--weight", type=int, help="Its share; that of the configuration: no order.")
@click.pass_obj
def backend(to: Ctl, route: str, backend: str, *, state: str | None, weight: int | None) -> int:
    """Give a backend no new connections (drain, disabled), or another weight."""
    given = {"state": state, "weight": weight}
    order = {name: value for name, value in given.items() if value is not None}
    answer = to.client.post("/api/backends/set", route=route, backend=backend, **order)
    told = ", ".join(f"{name} {value}" for name, value in order.items())
    return to.print(answer, f"{backend}: {told}")


@ctl.command()
@click.pass_obj
def reload(to: Ctl) -> int:
    """Read the configuration again, and wait for the outcome."""
    answer = to.client.post("/api/reload")
    return to.print(answer, f"reloaded: generation {answer['generation']}")


@ctl.command()
@click.argument("level", type=click.Choice(LOG_LEVELS))
@click.pass_obj
def log(to: Ctl, level: str) -> int:
    """Log what is of this level or above, in all processes."""
    return to.print(to.client.post("/api/log", level=level), f"log level {level}")


@ctl.command()
@click.pass_obj
def drain(to: Ctl) -> int:
    """Accept no more, and end when all connections have."""
    return to.print(to.client.post("/api/drain"), "draining")


ctl.add_command(mirror)
