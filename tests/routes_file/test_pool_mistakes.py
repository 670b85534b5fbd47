"""Golden pairs of mistakes in what a route says of its backends."""

import pytest

from spliceproxy.settings.health import EjectionSettings, HealthCheckSettings
from spliceproxy.settings.proxy import RouteSettings
from tests.routes_file.reading import mistakes_of, settings_of

ROUTE = "routes:\n- listen: 80\n  backends: [b:80]\n  "
"""What a test appends begins at 4:3."""
BACKEND = "routes:\n- listen: 80\n  backends:\n  - address: b:80\n    "
"""What a test appends begins at 5:5."""

BALANCE = [
    (f"{ROUTE}balance: leastconn", ["4:12: routes[0].balance: 'leastconn' is not known; did you mean 'least_connections'? (round_robin, least_connections, random_two, source_hash, first)"]),
    (f"{ROUTE}retries: -1", ["4:12: routes[0].retries: '-1' is not understood: expected 0 to 1000"]),
    (f"{ROUTE}queue: 5s", ["4:10: routes[0].queue: expected a mapping"]),
    (f"{ROUTE}queue: {{size: 0, timeout: 1}}", ["4:17: routes[0].queue.size: '0' is not understood: expected 1 to 1000000", "4:29: routes[0].queue.timeout: '1' has no unit: write 1s for seconds, or use ms, m, h, d"]),
    (f"{ROUTE}resolve_interval: 10ms", ["4:21: routes[0].resolve_interval: '10ms' is too short: expected 100ms or more"]),
]  # fmt: skip

BACKENDS = [
    (f"{BACKEND}weight: 0", ["5:13: routes[0].backends[0].weight: '0' is not understood: expected 1 to 256"]),
    (f"{BACKEND}weigth: 1", ["5:5: routes[0].backends[0].weigth: key 'weigth' is not known; did you mean 'weight'? (address, weight, backup, max_connections, send_proxy, source, tls)"]),
    (f"{BACKEND}backup: yes", ["5:13: routes[0].backends[0].backup: 'yes' is not a flag: expected true"]),
    (f"{BACKEND}max_connections: many", ["5:22: routes[0].backends[0].max_connections: 'many' is not understood: expected 1 to 10000000"]),
    (f"{BACKEND}send_proxy: 2", ["5:17: routes[0].backends[0].send_proxy: '2' is not known; did you mean 'v2'? (v1, v2)"]),
    (f"{BACKEND}source: lo", ["5:13: routes[0].backends[0].source: 'lo' is not an IP address: expected one, as in ::1"]),
    ("routes: [{listen: 80, backends: {address: unix:/a, source: 10.0.0.1}}]", ["1:60: routes[0].backends.source: a unix socket is connected to from no address: expected none"]),
]  # fmt: skip

HEALTH = [
    (f"{ROUTE}health_check: http", ["4:17: routes[0].health_check: 'http' is not known: expected tcp"]),
    (f"{ROUTE}health_check: {{intervall: 1s, rise: 0}}", ["4:18: routes[0].health_check.intervall: key 'intervall' is not known; did you mean 'interval'? (type, send, expect, interval, timeout, rise, fall, close)", "4:39: routes[0].health_check.rise: '0' is not understood: expected 1 to 100"]),
    (f"{ROUTE}health_check: {{send: PING}}", ["4:17: routes[0].health_check: nothing is expected of what 'send' sends: expected 'expect' with it"]),
    (ROUTE + "health_check: {expect: '\\q'}", ["4:26: routes[0].health_check.expect: escape '\\\\q' is not known: expected \\r, \\n, \\t, \\0, \\\\ or \\x00"]),
    (ROUTE + 'health_check: {send: "\\xd2", expect: N}', ["4:24: routes[0].health_check.send: the character U+00D2 is ambiguous, as YAML reads \"\\xd2\" within double quotes so: for the byte write '\\xd2' in single quotes, for the character {hex: \"c3 92\"}"]),
    (ROUTE + "health_check: {expect: {hex: 5}}", ["4:26: routes[0].health_check.expect: '5' is not in hex: expected pairs of digits, as in \"16 03 01\""]),
    (ROUTE + "health_check: {expect: [a]}", ["4:26: routes[0].health_check.expect: expected a text, or bytes as in {hex: \"16 03 01\"}"]),
    (ROUTE + "health_check: {close: rst}", ["4:25: routes[0].health_check.close: 'rst' is not known; did you mean 'reset'? (fin, reset)"]),
    (f"{ROUTE}ejection: off", ["4:13: routes[0].ejection: 'off' is not a flag: expected false"]),
    (f"{ROUTE}ejection: {{first: 1h, longest: 1s}}", ["4:13: routes[0].ejection: 'longest' is shorter than 'first': expected the same or longer"]),
    (f"{ROUTE}on_down: drop", ["4:12: routes[0].on_down: 'drop' is not known: expected keep or close"]),
]  # fmt: skip

DNS = [
    ("routes: [{listen: 80, backends: [srv:example.org]}]", ["1:34: routes[0].backends[0]: 'srv:example.org' names no service: expected srv:_SERVICE._tcp.NAME, as in srv:_redis._tcp.example.org"]),
    ("routes: [{listen: 80, backends: [{address: srv:_a._tcp.b, weight: 2}]}]", ["1:67: routes[0].backends[0].weight: the weights of srv: are those of its records: expected none"]),
    (f"{ROUTE}\ndns: {{servers: ns.example.org}}", ["5:16: dns.servers: 'ns.example.org' is not an IP address: expected one, as in ::1"]),
    (f"{ROUTE}\ndns: {{servers: [9.9.9.9:0]}}", ["5:17: dns.servers[0]: the port of '9.9.9.9:0' is out of range: expected 1 to 65535"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), [*BALANCE, *BACKENDS, *HEALTH, *DNS])
def test_mistakes(text: str, said: list[str]) -> None:
    assert mistakes_of(text) == said


def test_short_ways_to_say_it() -> None:
    def route(text: str) -> RouteSettings:
        return settings_of(ROUTE + text).routes[0]

    assert route("health_check: tcp").health_check == HealthCheckSettings()
    assert route("health_check: {}").health_check == HealthCheckSettings()
    assert route("health_check: null").health_check is None
    assert route("ejection: false").ejection == EjectionSettings(enabled=False)
    assert route('health_check: {expect: "+PONG\\r\\n", send: x}').health_check == (
        HealthCheckSettings(send=b"x", expect=b"+PONG\r\n")
    )
    assert route("health_check: {expect: '\\xd2', send: {hex: \"00 D2\"}}").health_check == (
        HealthCheckSettings(send=b"\0\xd2", expect=b"\xd2")
    )


def test_name_servers() -> None:
    text = ROUTE + '\ndns: {servers: [9.9.9.9, "127.0.0.1:5353", "::1", "[::1]:54"]}'
    assert [str(server) for server in settings_of(text).dns.servers] == [
        "9.9.9.9:53",
        "127.0.0.1:5353",
        "[::1]:53",
        "[::1]:54",
    ]
