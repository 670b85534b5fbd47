"""A proxy in a process of its own, for tests that kill it.

Arguments: the backend's port, and "splice" or "copy". It writes the port that it listens on.
"""

import sys

import trio

from spliceproxy.serving import serve
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.single_route import single_route


async def main(backend_port: int, *, splice: bool) -> None:
    settings = single_route(
        listen=(TcpAddress("127.0.0.1", 0),),
        backends=(TcpAddress("127.0.0.1", backend_port),),
        workers=1,
        splice=splice,
        log_level="error",
    )
    async with serve(settings) as proxy:
        sys.stdout.write(f"{proxy.addresses[0][1]}\n")
        sys.stdout.flush()
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(lambda: main(int(sys.argv[1]), splice=sys.argv[2] == "splice"))
