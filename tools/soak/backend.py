"""A backend of the soak: `python -m tools.soak.backend HOST PORT`.

It tells on its standard output what no trouble explains: a line that begins with `damaged`.
"""

import sys

import trio

from tools.soak.exchange import RESPONSE_SEED_OFFSET, Manner, Request, parse_header
from tools.soak.stream import EarlyEndError, Stream, reset_on_close

BACKLOG = 4096
DAMAGED = "damaged"


async def answer(stream: Stream, request: Request) -> None:
    """Serve one request.

    Raises:
        EarlyEndError: the request ended in an orderly way before all of it had come.
        ValueError: it is not what its client has sent.
    """
    response_seed = request.seed + RESPONSE_SEED_OFFSET
    if request.manner == Manner.ENDS_FIRST:
        await stream.send_body(request.response_bytes, response_seed)
        stream.end()
    sha256 = await stream.body_sha256(request.request_bytes)
    if sha256 != request.request_sha256:
        raise ValueError("other bytes than were sent")
    if request.manner in (Manner.ENDS_FIRST, Manner.HALF_CLOSED) and not await stream.has_ended():
        raise ValueError("more bytes than were sent")
    if request.manner == Manner.ENDS_FIRST:
        return
    await stream.send(sha256.encode() + b"\n")
    if request.manner == Manner.RESETS:
        await stream.send_body(request.response_bytes // 2, response_seed)
    else:
        await stream.send_body(request.response_bytes, response_seed)


async def serve(stream: Stream) -> None:
    """Serve one connection to its end."""
    while line := await stream.line():
        request = parse_header(line)
        await answer(stream, request)
        if request.manner == Manner.RESETS:
            return
        if request.manner != Manner.ANSWER:
            break
    stream.finish()


async def _handle(sock: trio.socket.SocketType) -> None:
    with Stream(sock) as stream:
        try:
            await serve(stream)
        except OSError:
            return  # a reset: the client, the proxy or its worker is gone
        except (EarlyEndError, ValueError) as error:
            print(f"{DAMAGED}: {error}", flush=True)


async def main(host: str, port: int) -> None:
    (listener,) = await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG)
    reset_on_close(listener.socket)
    async with trio.open_nursery() as nursery:
        while True:
            try:
                sock, _ = await listener.socket.accept()
            except ConnectionAbortedError:
                continue
            nursery.start_soon(_handle, sock)


if __name__ == "__main__":
    try:
        trio.run(main, sys.argv[1], int(sys.argv[2]))
    except KeyboardInterrupt:
        sys.exit(130)
