"""An echo server that copies nothing: `python -m tools.companions.echo`.

What arrives goes into a pipe, and from there back to its sender, by two splices. A connection
borrows a pipe while bytes are under way, and holds none while it is idle.
"""

import socket
from functools import partial

import click
import trio

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.pipes import NoPipeError, Pipe, PipePool
from spliceproxy.kernel.sockets import finish_cleanly
from spliceproxy.settings.address import TcpAddress
from tools.companions.shared import options
from tools.companions.shared.failures import give_up
from tools.companions.shared.pace import Pace
from tools.companions.shared.serving import open_listeners, serve, until_signal
from tools.companions.shared.steps import drain, fill, when_readable, when_writable

PIECE_BYTES = 1 << 20
"""As much as a pooled pipe holds."""


class Echo:
    """One connection: what arrives is sent back, until the peer closes its half."""

    def __init__(
        self, sock: socket.socket, pool: PipePool, *, delay_s: float, bytes_per_s: int
    ) -> None:
        self.echoed_bytes = 0
        self._sock = sock
        self._pool = pool
        self._delay_s = delay_s
        self._pace = Pace(bytes_per_s) if bytes_per_s else None

    async def run(self, idle_timeout_s: float) -> None:
        """Echo to the end of the stream.

        Raises:
            OSError: the peer has reset.
            NoPipeError: neither the pool nor the kernel has a pipe.
            trio.TooSlowError: nothing has moved for that long.
        """
        is_open = True
        while is_open:
            with trio.fail_after(idle_timeout_s):
                await trio.lowlevel.wait_readable(self._sock)
            pipe = self._pool.borrow()
            held_bytes = 0
            try:
                held_bytes = await self._fill(pipe)
                is_open = held_bytes != 0
                moved_bytes = held_bytes
                await trio.sleep(self._delay_s)
                while held_bytes:
                    with trio.fail_after(idle_timeout_s):
                        held_bytes -= await self._drain(pipe, held_bytes)
            finally:
                (self._pool.discard if held_bytes else self._pool.give_back)(pipe)
            if self._pace:
                await self._pace.wait(moved_bytes)
        # A peer that has closed its own half only reads on, up to this end.
        self._sock.shutdown(socket.SHUT_WR)
        finish_cleanly(self._sock)

    async def _fill(self, pipe: Pipe) -> int:
        limit_bytes = min(PIECE_BYTES, self._pace.piece_bytes if self._pace else PIECE_BYTES)
        return await when_readable(self._sock, partial(fill, pipe, self._sock, limit_bytes))

    async def _drain(self, pipe: Pipe, held_bytes: int) -> int:
        step = partial(drain, pipe, self._sock.fileno(), held_bytes)
        sent_bytes = await when_writable(self._sock, step)
        self.echoed_bytes += sent_bytes
        return sent_bytes


class EchoServer:
    """Every connection of a listener, with the pipes that they share."""

    def __init__(self, *, delay_s: float, bytes_per_s: int, idle_timeout_s: float) -> None:
        self.pool = PipePool()
        self._delay_s = delay_s
        self._bytes_per_s = bytes_per_s
        self._idle_timeout_s = idle_timeout_s

    async def handle(self, sock: socket.socket, peer: str) -> None:
        """Serve a connection, and say how it ended."""
        echo = Echo(sock, self.pool, delay_s=self._delay_s, bytes_per_s=self._bytes_per_s)
        end = "stopped"
        try:
            await echo.run(self._idle_timeout_s)
            end = "closed"
        except OSError as error:
            end = error.strerror or str(error)
        except NoPipeError as error:
            end = f"no pipe: {error}"
        except trio.TooSlowError:
            end = "idle"
        finally:
            print(f"{peer}: {echo.echoed_bytes:,} bytes echoed, {end}", flush=True)


@click.command()
@options.listen("127.0.0.1:7007")
@options.duration("--delay", "delay_s", "Wait so long before each piece is sent back.", "0s")
@options.positive_size("--rate", "bytes_per_s", "Most bytes a second, for each connection.")
@options.positive_duration("--idle-timeout", "idle_timeout_s", "Reset what stands still.", "5m")
@options.connection_limit
def main(
    *,
    address: TcpAddress,
    delay_s: float,
    bytes_per_s: int | None,
    idle_timeout_s: float,
    max_connections: int,
) -> None:
    """Send back what arrives, through a pipe and without a copy."""
    server = EchoServer(
        delay_s=delay_s, bytes_per_s=bytes_per_s or 0, idle_timeout_s=idle_timeout_s
    )
    try:
        listeners = open_listeners(address)
    except StartProblem as problem:
        give_up(problem)
    try:
        trio.run(until_signal, partial(serve, listeners, server.handle, max_connections))
    finally:
        server.pool.close()


if __name__ == "__main__":
    main()
