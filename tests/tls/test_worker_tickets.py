"""A worker goes on with the secret for session tickets that it is told."""

import socket
import ssl
from functools import partial

import trio

from spliceproxy import TcpAddress, serve, single_route
from spliceproxy.settings.tls import TlsDial
from tests.tls.authority import Authority, client_tls


def connect(
    address: tuple[str, int], context: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[ssl.SSLSession | None, bool | None]:
    """Shake hands; returns the session, and whether it is the one that was given."""
    with (
        socket.create_connection(address) as raw,
        context.wrap_socket(raw, server_hostname="localhost", session=session) as client,
    ):
        return client.session, client.session_reused


async def test_tickets_by_another_secret_are_not_taken(authority: Authority) -> None:
    pair = authority.issue("localhost")
    context = client_tls(TlsDial(ca=authority.path)).context
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # where the ticket comes with the handshake
    files = {"tls_certificate": pair.certificate, "tls_key": pair.key}
    settings = single_route(
        [TcpAddress("127.0.0.1", 0)],
        [TcpAddress("127.0.0.1", 1)],
        **files,  # type: ignore[arg-type]
    )
    async with serve(settings) as proxy:
        (address,) = proxy.addresses
        assert isinstance(address, tuple)
        shake = partial(trio.to_thread.run_sync, connect, address, context)
        proxy.worker.use_tickets(b"a" * 32)
        session, _ = await shake()
        assert (await shake(session))[1]
        proxy.worker.use_tickets(b"b" * 32)
        assert not (await shake(session))[1]
        proxy.worker.use_tickets(b"a" * 32)
        assert (await shake(session))[1]
