"""Entry point of the sink: `python -m tools.companions.sink`."""

from pathlib import Path

import click
import trio

from spliceproxy.errors import StartProblem
from spliceproxy.settings.address import TcpAddress
from tools.companions.shared import options
from tools.companions.shared.failures import give_up
from tools.companions.shared.serving import open_listeners, serve, until_signal
from tools.companions.sink.reception import Behaviour
from tools.companions.sink.server import Place, Sink

DIRECTORY = click.Path(exists=True, file_okay=False, writable=True, path_type=Path)


@click.command()
@options.listen("127.0.0.1:7008")
@click.option("--into", "directory", type=DIRECTORY, help="Write files 000001, 000002, ... there.")
@click.option(
    "--discard",
    type=click.Choice(["truncate", "splice"]),
    default="truncate",
    show_default=True,
    help="How bytes are dropped: by recv with MSG_TRUNC, or by splice into /dev/null.",
)
@click.option("--checksum", is_flag=True, help="Read the bytes, and print their SHA-256.")
@options.positive_size("--rate", "bytes_per_s", "Most bytes a second, for each connection.")
@options.size("--stall-after", "stall_after_bytes", "Then read no more, but stay connected.")
@options.size("--reset-after", "reset_after_bytes", "Then reset the connection.")
@options.buffer_size("--receive-buffer", "receive_buffer_bytes", "SO_RCVBUF of each connection.")
@options.positive_duration("--idle-timeout", "idle_timeout_s", "Reset what stands still.", "5m")
@click.option("--streams", "most_streams", type=click.IntRange(min=1), help="Stop after so many.")
@options.connection_limit
def main(
    *,
    address: TcpAddress,
    directory: Path | None,
    discard: str,
    checksum: bool,
    bytes_per_s: int | None,
    stall_after_bytes: int | None,
    reset_after_bytes: int | None,
    receive_buffer_bytes: int | None,
    idle_timeout_s: float,
    most_streams: int | None,
    max_connections: int,
) -> None:
    """Swallow streams: discard or file them, count them, and misbehave when told to.

    What a bad receiver gets beyond its --stall-after waits in its receive buffer and in the
    sender's: a small --receive-buffer makes the sender feel it sooner.
    """
    behaviour = Behaviour(bytes_per_s, stall_after_bytes, reset_after_bytes, idle_timeout_s)
    sink = Sink(Place(directory, discard, checksum), behaviour, most_streams)
    try:
        listeners = open_listeners(address, receive_buffer_bytes or 0)
    except StartProblem as problem:
        give_up(problem)

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, listeners, sink.handle, max_connections)
            await sink.enough.wait()
            nursery.cancel_scope.cancel()

    trio.run(until_signal, work)
    print(f"{sink.streams} streams, {sink.received_bytes} bytes")


if __name__ == "__main__":
    main()
