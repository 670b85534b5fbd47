import json
import time
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.observe.access_json import json_renderer
from spliceproxy.observe.connection import ConnectionRecord
from spliceproxy.observe.haproxy_line import OpenConnections, render_haproxy_tcp
from spliceproxy.observe.termination import Phase
from tests.observe.records import make_record

# Programs read these: keys may be added, with a word in CHANGELOG.md, but never go or change.
KEYS = [
    "timestamp",
    "level",
    "event",
    "worker",
    "generation",
    "route",
    "listener",
    "client",
    "peer",
    "server_name",
    "tls",
    "tlvs",
    "backend",
    "attempts",
    "queue_s",
    "connect_s",
    "duration_s",
    "request_bytes",
    "response_bytes",
    "undelivered_bytes",
    "spliced_bytes",
    "copied_bytes",
    "reason",
    "closed_by",
    "termination",
    "mirrors",
]

texts = st.text(max_size=20)
seconds = st.floats(min_value=0, max_value=1e7)
counts = st.integers(min_value=0, max_value=1 << 62)
records = st.builds(
    ConnectionRecord,
    *(texts, texts, texts),
    peer=st.none() | texts,
    server_name=st.none() | texts,
    tls=st.none() | st.dictionaries(texts, texts | st.booleans(), max_size=3),
    tlvs=st.none() | st.dictionaries(texts, texts | st.booleans(), max_size=3),
    backend=texts,
    backend_name=texts,
    attempts=counts,
    queue_s=st.none() | seconds,
    connect_s=st.none() | seconds,
    duration_s=seconds,
    phase=st.sampled_from(Phase),
    request_bytes=counts,
    reason=st.sampled_from(["closed", "client_reset", "idle_timeout"]),
    mirrors=st.none() | st.lists(st.dictionaries(texts, counts, max_size=3), max_size=3),
)


@given(records)
def test_the_json_line_says_what_the_record_says(record: ConnectionRecord) -> None:
    rendered = json_renderer(3, 7)(record)
    assert rendered.endswith(b"}\n")
    assert rendered.count(b"\n") == 1
    line = json.loads(rendered)
    assert list(line) == KEYS
    head = {"level": "info", "event": "connection", "worker": 3, "generation": 7}
    times = ("queue_s", "connect_s", "duration_s")
    expected = {"timestamp": line["timestamp"], **head, **record.line()}
    for name in times:
        assert line.pop(name) == pytest.approx(expected.pop(name), abs=1e-6)
    assert line == expected


def test_the_keys_are_those_of_the_record() -> None:
    of_place = {"timestamp", "level", "event", "worker", "generation"}
    not_told = {"phase", "accepted", "backend_name"}
    told = {field.name for field in fields(ConnectionRecord)} - not_told
    assert set(KEYS) - of_place == told | {"termination"}
    assert set(make_record().line()) == told | {"termination"}


OTHERS = OpenConnections(worker=6, route=4, backend=2)


def haproxy_line(record: ConnectionRecord) -> str:
    return render_haproxy_tcp(record, OTHERS).decode()


def test_the_line_of_haproxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert haproxy_line(make_record()) == (
        "192.0.2.7:40112 [09/Sep/2001:01:46:40.250] web web/app.example:80 0/12/12345 1432 CD "
        "7/5/4/2/2 0/0\n"
    )
    monkeypatch.undo()
    time.tzset()


def test_the_line_of_haproxy_for_a_client_that_met_no_backend() -> None:
    record = make_record()
    record.backend_name, record.connect_s, record.phase, record.attempts = (
        "",
        None,
        Phase.CONNECT,
        1,
    )
    record.end("connect_timeout")
    assert haproxy_line(record).split("] ")[1] == (
        "web web/<NOSRV> 0/-1/12345 1432 sC 7/5/4/2/0 0/0\n"
    )


@pytest.mark.parametrize(
    ("client", "written"),
    [("[2001:db8::1]:5", "2001:db8::1:5"), ("unix", "unix:1"), ("192.0.2.1:5", "192.0.2.1:5")],
)
def test_clients_as_haproxy_writes_them(client: str, written: str) -> None:
    record = make_record()
    record.client = client
    assert haproxy_line(record).split()[0] == written


def test_the_time_in_a_queue_is_not_the_time_of_a_connect() -> None:
    record = make_record()
    record.queue_s = 0.010
    assert " 10/2/12345 " in haproxy_line(record)


@given(records)
def test_any_record_is_ten_words_on_one_line(record: ConnectionRecord) -> None:
    record.route, record.client = "web", "192.0.2.1:5"
    words = haproxy_line(record).split(" ")
    assert len(words) == 9
