"""What becomes of clients whose backend cannot be reached."""

from spliceproxy.settings.address import TcpAddress
from tests.proxy.relay import Relay

REFUSING = TcpAddress("127.0.0.1", 1)


async def assert_turned_away(proxied: Relay, reason: str, attempts: int = 1) -> None:
    """A client is reset, and the log says why."""
    client = await proxied.open_client()
    assert await client.receive_rest() == (b"", "reset")
    line = await proxied.line()
    assert line["reason"] == reason
    assert (line["attempts"], line["connect_s"]) == (attempts, None)
    assert line["termination"][1] == "C"
    assert (line["request_bytes"], line["response_bytes"]) == (0, 0)


async def assert_reaches_the_second(proxied: Relay, reason: str) -> None:
    """The backend that the test plays is reached after another has failed."""
    connection = await proxied.connect()
    await connection.client.send(b"hello")
    assert await connection.backend.receive_exactly(5) == b"hello"
    assert [line["reason"] for line in proxied.events("connect_failed")] == [reason]
    connection.client.finish()
    connection.backend.finish()
    assert (await proxied.line())["attempts"] == 2
