"""A proxy in a process of its own, for tests that kill it.

Arguments: the backend's port; "splice", "copy", or "tls" with both peers. It writes the port that
it listens on.
"""

import sys

import trio

from spliceproxy.serving import serve
from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.single_route import single_route
from spliceproxy.settings.tls_texts import TlsBackend


async def main(backend_port: int, mode: str, files: list[str]) -> None:
    address = TcpAddress("127.0.0.1", backend_port)
    trust = {"ca": files[1], "name": "localhost"}
    settings = single_route(
        listen=(TcpAddress("127.0.0.1", 0),),
        backends=(TlsBackend(address, trust) if mode == "tls" else address,),
        tls_certificate=files[0] if mode == "tls" else None,
        workers=1,
        splice=mode == "splice",
        log_level="error",
    )
    async with serve(settings) as proxy:
        sys.stdout.write(f"{proxy.addresses[0][1]}\n")
        sys.stdout.flush()
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), sys.argv[2], sys.argv[3:])
