import json

import pytest

from tools.bench.errors import BenchError
from tools.bench.loads import iperf3, redis_benchmark, wrk

WRK_REPORT = """\
Running 1s test @ http://127.0.0.1:41107/
  1 threads and 50 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.28ms    0.97ms   8.04ms   76.97%
    Req/Sec    17.83k     3.08k   21.55k    60.00%
  Latency Distribution
     50%  850.00us
     75%    1.68ms
     90%    2.40ms
     99%    1.01s
  17815 requests in 1.01s, 2.51MB read
{errors}Requests/sec:  17705.09
Transfer/sec:      2.50MB
"""
REDIS_REPORT = """\
WARNING: Could not fetch server CONFIG
"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms",\
"p99_latency_ms","max_latency_ms"
"GET","80000.00","0.082","0.008","0.079","0.127","0.159","0.255"
"""


def test_iperf3_counts_what_the_server_received() -> None:
    end = {"sum_received": {"bytes": 2_753_822_720, "bits_per_second": 16e9}}
    transfer = iperf3.parse(json.dumps({"start": {}, "end": end}))
    assert transfer == iperf3.Transfer(2_753_822_720, 2e9)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"error": "the server is busy"}', "the server is busy"),
        ('{"end": {}}', "unreadable"),
        ("", "unreadable"),
    ],
)
def test_iperf3_without_a_result_is_an_error(text: str, words: str) -> None:
    with pytest.raises(BenchError, match=words):
        iperf3.parse(text)


def test_wrk_report_with_three_units_of_time() -> None:
    answered = wrk.parse(WRK_REPORT.format(errors=""))
    assert answered == wrk.Answers(17_815, 17_705.09, 0.85, 1010.0, failed=0)


def test_wrk_failures_are_added_up() -> None:
    errors = (
        "  Socket errors: connect 1, read 20, write 300, timeout 4000\n"
        "  Non-2xx or 3xx responses: 50000\n"
    )
    assert wrk.parse(WRK_REPORT.format(errors=errors)).failed == 54_321


def test_wrk_without_a_report_is_an_error() -> None:
    with pytest.raises(BenchError, match="unreadable"):
        wrk.parse("unable to connect to 127.0.0.1:1 Connection refused")


def test_redis_benchmark_report_behind_a_warning() -> None:
    assert redis_benchmark.parse(REDIS_REPORT) == redis_benchmark.Report(80_000.0, 0.079, 0.159)


@pytest.mark.parametrize("text", ["", "Could not connect to Redis", '"test","rps"\n'])
def test_redis_benchmark_without_a_report_is_an_error(text: str) -> None:
    with pytest.raises(BenchError, match="unreadable"):
        redis_benchmark.parse(text)


def test_redis_info_field() -> None:
    info = "# Stats\r\ntotal_connections_received:3\r\ntotal_commands_processed:12\r\n"
    assert redis_benchmark.parse_info(info, "total_commands_processed") == 12
    with pytest.raises(BenchError, match="no keys"):
        redis_benchmark.parse_info(info, "keys")
