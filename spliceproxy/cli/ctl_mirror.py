"""`spliceproxy ctl mirror`: which copies are made, changed while the proxy runs."""

from typing import TYPE_CHECKING, Any

import click

from spliceproxy.cli.columns import align, human_bytes, human_seconds
from spliceproxy.cli.mirror_state import why_ill

if TYPE_CHECKING:
    from spliceproxy.cli.ctl import Ctl


@click.group()
def mirror() -> None:
    """Start and stop mirrors, and attach more of them."""


@mirror.command("set")
@click.argument("route")
@click.argument("mirror")
@click.option("--state", type=click.Choice(["on", "off"]), help="Whether new connections get it.")
@click.option("--sample", help="Which part of them, such as 10%; configured: no order.")
@click.option("--now", is_flag=True, help="With off: end the streams that are open, too.")
@click.pass_obj
def set_mirror(
    to: "Ctl", route: str, mirror: str, *, state: str | None, sample: str | None, now: bool
) -> int:
    """Stop a mirror of a route (off), start it (on), or change its sample."""
    order: dict[str, Any] = _given(state=state, sample=sample, now=now or None)
    answer = to.client.post("/api/mirrors/set", route=route, mirror=mirror, **order)
    told = [f"{name} {value}" for name, value in _given(state=state, sample=sample).items()]
    if now:
        told.append(f"{answer['streams_ended']} streams ended")
    return to.print(answer, f"{mirror}: {', '.join(told)}")


@mirror.command()
@click.argument("mirror_text", metavar="MIRROR")
@click.option("--route", help="New connections of this route.")
@click.option("--client", help="Of them those of this address, or network such as 10.0.0.0/8.")
@click.option("--connection", help="The one connection of this number, from now on.")
@click.option("--for", "duration", help="End after a time, such as 10m.")
@click.option("--bytes", "size", help="End each direction after so much, such as 100MiB.")
@click.pass_obj
def attach(
    to: "Ctl",
    mirror_text: str,
    *,
    route: str | None,
    client: str | None,
    connection: str | None,
    duration: str | None,
    size: str | None,
) -> int:
    """Copy traffic to another mirror, written as for `--mirror`."""
    wanted = _given(route=route, client=client, connection=connection, bytes=size)
    answer = to.client.post("/api/mirrors/attach", to=mirror_text, **wanted, **_for(duration))
    return to.print(answer, f"{answer['id']}: attached as {answer['mirror']}")


@mirror.command()
@click.argument("number", metavar="ID", type=int)
@click.pass_obj
def detach(to: "Ctl", number: int) -> int:
    """End what was attached; what is queued is still delivered."""
    return to.print(to.client.post("/api/mirrors/detach", id=number), f"{number}: detached")


@mirror.command("list")
@click.pass_obj
def list_attached(to: "Ctl") -> int:
    """List what is attached, and what has been of late."""
    answer = to.client.get("/api/mirrors/attached")
    headings = (
        *("id", "mirror", "route", "of", "state", "left", "open", "lag", "delivered", "lost"),
        *("left out", "reason"),
    )
    rows = (
        (
            one["id"],
            one["mirror"],
            one["route"],
            one["connection"] or one["client"] or "all clients",
            one["state"],
            "-" if one["left_s"] is None else human_seconds(one["left_s"]),
            one["open"],
            human_bytes(one["lag_bytes"]),
            human_bytes(one["delivered_bytes"]),
            human_bytes(one["dropped_bytes"]),
            one["left_out"],
            why_ill(one),
        )
        for one in answer["found"]
    )
    return to.print(answer, align(headings, rows))


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _for(duration: str | None) -> dict[str, str]:
    return {} if duration is None else {"for": duration}
