"""What mirrors have to reach: against no mirror, and against HAProxy with tcpdump."""

from tools.bench import mirror_account
from tools.bench.bounds import Bound, Standard
from tools.bench.mirror_peers import CAPTURE, HAPROXY_TCPDUMP
from tools.bench.works import bulk, request_response, short
from tools.bench.works.mirrored import BULK, CPU_PER_COPIED, PACED, REQUESTS, SHORT

P99_LIMIT = 1.05  # 1 / 0.95: the other way round than a rate


def _nothing_lost(work: str, peer: str) -> Bound:
    return Bound(
        work,
        mirror_account.LOST,
        0,
        is_relative=False,
        decimals=0,
        peer=peer,
        is_for_each_round=True,
    )


STANDARD = Standard(
    "spliceproxy without a mirror",
    (
        Bound(BULK, bulk.THROUGHPUT, 0.95, peer="null"),
        Bound(REQUESTS, request_response.RATE, 0.95, peer="null"),
        Bound(BULK, bulk.THROUGHPUT, 0.8, peer="tcp"),
        Bound(REQUESTS, request_response.RATE, 0.8, peer="tcp"),
        Bound(BULK, bulk.THROUGHPUT, 0.95, peer="tcp-dead"),
        Bound(REQUESTS, request_response.RATE, 0.95, peer="tcp-dead"),
        Bound(REQUESTS, request_response.P99, P99_LIMIT, peer="tcp-dead"),
        # Only a mirror that got everything has done the work of tcpdump; the default policy lets
        # go of a bulk transfer that is faster than the mirror.
        Bound(BULK, bulk.THROUGHPUT, 0.8, peer="tcp-block"),
        Bound(REQUESTS, request_response.RATE, 0.8, peer="tcp-block"),
        _nothing_lost(BULK, "tcp-block"),
        _nothing_lost(REQUESTS, "tcp-block"),
        # At full speed tcpdump loses most packets, so a byte carried and a byte copied differ.
        Bound(BULK, bulk.CPU, 0.7, peer="file-block", against=HAPROXY_TCPDUMP),
        Bound(BULK, CPU_PER_COPIED, 0.7, peer="file-block", against=HAPROXY_TCPDUMP),
        Bound(PACED, bulk.CPU, 0.7, peer="file-block", against=HAPROXY_TCPDUMP),
        Bound(REQUESTS, request_response.CPU, 0.7, peer="file-block", against=HAPROXY_TCPDUMP),
        _nothing_lost(BULK, "file-block"),
        _nothing_lost(PACED, "file-block"),
        _nothing_lost(REQUESTS, "file-block"),
        Bound(BULK, bulk.THROUGHPUT, 0.8, peer=CAPTURE),
        Bound(BULK, bulk.CPU, 0.35, is_relative=False, peer=CAPTURE),
        Bound(REQUESTS, request_response.CPU, 1.15, peer=CAPTURE),
        Bound(REQUESTS, request_response.CPU, 0.7, peer=CAPTURE, against=HAPROXY_TCPDUMP),
        Bound(SHORT, short.RATE, 0.9, peer=CAPTURE),
        _nothing_lost(BULK, CAPTURE),
        _nothing_lost(REQUESTS, CAPTURE),
        _nothing_lost(SHORT, CAPTURE),
    ),
)
