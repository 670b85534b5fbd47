"""What one client, and all of them together, may take of the server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds; each worker has its own number of connections."""

    max_connections: int = 1000
    max_header_bytes: int = 16 << 10  # nginx allows 8 KiB a line, and four such buffers
    max_body_bytes: int = 64 << 10  # nobody needs a body to fetch a file; it is read and dropped
    idle_timeout_s: float = 60.0  # for a next request, and for room in a socket that is sent to
    request_timeout_s: float = 10.0  # from a request's first byte to its last
    linger_timeout_s: float = 2.0  # for the client to close after it was told that we do
    chunk_bytes: int = 2 << 20  # sent in one turn: nginx's sendfile_max_chunk since 1.21.4
