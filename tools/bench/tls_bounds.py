"""What terminating TLS has to reach."""

from tools.bench.bounds import Bound, Standard
from tools.bench.peers import SPLICEPROXY
from tools.bench.tls_peers import CAPTURE, HAPROXY, NGINX
from tools.bench.works import bulk, request_response, short, terminated

# Where the load is the limit, rates are alike, and only the CPU tells: so both have a limit.
STANDARD = Standard(
    "the best of HAProxy, nginx and stunnel",
    (
        *(
            bound
            for work in terminated.DIRECTIONS
            for bound in (Bound(work, bulk.THROUGHPUT, 1.0), Bound(work, bulk.CPU, 1.0))
        ),
        Bound(terminated.HANDSHAKES, short.RATE, 0.95, against=HAPROXY),
        Bound(terminated.HANDSHAKES, short.CPU, 1.05, against=HAPROXY),
        Bound(terminated.RESUMED, short.RATE, 0.8, against=NGINX),
        Bound(terminated.RESUMED, short.CPU, 1.25, against=NGINX),
        Bound(terminated.REQUESTS, request_response.RATE, 0.9),
        Bound(terminated.REQUESTS, request_response.CPU, 1.1),
        Bound(terminated.IDLE, terminated.MEMORY, 1.0, against=HAPROXY),
        Bound(terminated.IDLE, terminated.MEMORY_EACH, 1.0, against=HAPROXY),
        *(
            Bound(work, bulk.THROUGHPUT, 0.9, peer=CAPTURE, against=SPLICEPROXY)
            for work in terminated.DIRECTIONS
        ),
        Bound(terminated.REQUESTS, request_response.RATE, 0.9, peer=CAPTURE, against=SPLICEPROXY),
    ),
)
