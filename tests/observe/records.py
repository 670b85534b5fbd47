"""Records of connections for tests of their lines."""

from spliceproxy.observe.connection import ConnectionRecord
from spliceproxy.observe.termination import Phase


def make_record() -> ConnectionRecord:
    """A connection with something in every field but those that a route's features fill in."""
    record = ConnectionRecord("web", "127.0.0.1:8080", "192.0.2.7:40112")
    record.backend, record.backend_name = "10.0.0.1:80", "app.example:80"
    record.attempts = 3
    record.phase = Phase.DATA
    record.connect_s, record.duration_s = 0.0123456, 12.3456789
    record.request_bytes, record.response_bytes, record.undelivered_bytes = 78, 1432, 5
    record.spliced_bytes, record.copied_bytes = 1500, 10
    record.end("client_reset", "backend")
    record.accepted = 1e9 + 0.25
    return record
