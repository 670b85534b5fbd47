"""Hellos of a real TLS client, and the same in other records."""

import ssl
from contextlib import suppress
from functools import cache


@cache
def real_hello(server_name: str | None = None, alpn: tuple[str, ...] = ()) -> bytes:
    """Return what the standard library's client sends first."""
    context = ssl.create_default_context()
    context.check_hostname = False
    if alpn:
        context.set_alpn_protocols(list(alpn))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=server_name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a client does not finish without a server")


def name_seen_by_a_server(hello: bytes) -> str | None:
    """Return the server name that the standard library's server finds in a hello."""
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _object, name, _context: names.append(name)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(hello)
    with suppress(ssl.SSLError):  # it has no certificate; the name was told before that
        server.do_handshake()
    return names[0]


def in_records(hello: bytes, sizes: list[int]) -> bytes:
    """Return a hello of one record in records of these sizes, the rest in a last one."""
    message = hello[5:]
    records = b""
    for size in sizes:
        if size < len(message):
            records += record(message[:size])
            message = message[size:]
    return records + record(message)


def record(fragment: bytes) -> bytes:
    """Return a handshake record."""
    return b"\x16\x03\x01" + len(fragment).to_bytes(2) + fragment


def made_hello(*extensions: tuple[int, bytes]) -> bytes:
    """Return a hello with these extensions, and nothing checked."""
    block = b"".join(
        kind.to_bytes(2) + len(value).to_bytes(2) + value for kind, value in extensions
    )
    return hello_of(len(block).to_bytes(2) + block)


def hello_of(extensions: bytes) -> bytes:
    """Return a hello that ends in these bytes."""
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" + extensions
    return record(b"\x01" + len(body).to_bytes(3) + body)


def sni(*names: bytes, kind: int = 0) -> tuple[int, bytes]:
    """Return the extension with these server names."""
    block = b"".join(bytes([kind]) + len(name).to_bytes(2) + name for name in names)
    return 0, len(block).to_bytes(2) + block


def alpn(*protocols: bytes) -> tuple[int, bytes]:
    """Return the extension with these protocols."""
    block = b"".join(bytes([len(protocol)]) + protocol for protocol in protocols)
    return 16, len(block).to_bytes(2) + block
