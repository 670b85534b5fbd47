"""A proxy inside a test, as a program that uses spliceproxy writes it; docs/python.md shows it."""

from functools import partial

import trio

from spliceproxy import TcpAddress, serve, single_route

ANY_PORT = TcpAddress("127.0.0.1", 0)


async def echo(stream: trio.SocketStream) -> None:
    async for data in stream:
        await stream.send_all(data)


async def count(stream: trio.SocketStream) -> None:
    total_bytes = sum([len(data) async for data in stream])
    await stream.send_all(b"%d" % total_bytes)


async def test_echo(nursery: trio.Nursery) -> None:
    serve_echo = partial(trio.serve_tcp, echo, 0, host="127.0.0.1")
    (listener,) = await nursery.start(serve_echo)
    backend = TcpAddress(*listener.socket.getsockname())
    async with serve(single_route([ANY_PORT], [backend])) as proxy:
        client = await trio.open_tcp_stream(*proxy.addresses[0])
        async with client:
            await client.send_all(b"ping")
            assert await client.receive_some() == b"ping"


async def test_proxy(nursery: trio.Nursery) -> None:
    serve_count = partial(trio.serve_tcp, count, 0, host="127.0.0.1")
    (listener,) = await nursery.start(serve_count)
    backend = TcpAddress(*listener.socket.getsockname())
    async with serve(single_route([ANY_PORT], [backend])) as proxy:
        client = await trio.open_tcp_stream(*proxy.addresses[0])
        async with client:
            await client.send_all(bytes(1_000_000))
            await client.send_eof()  # the backend answers when it has seen the end
            assert b"".join([data async for data in client]) == b"1000000"
