"""Golden pairs of mistakes in what a route says of the clients that it lets in."""

import pytest

from tests.routes_file.reading import mistakes_of

ROUTE = "routes:\n- listen: 80\n  backends: [b:80]\n  "
"""What a test appends begins at 4:3."""


def two(sni: str) -> str:
    """What is given begins at 2:30."""
    return f"routes:\n- {{name: a, listen: 80, sni: {sni}}}\n- {{name: b, backends: b:80}}\n"


ADMISSION = [
    (f"{ROUTE}allow: 10.0.0.1/8", ["4:10: routes[0].allow: '10.0.0.1/8' is an address within a network: expected 10.0.0.0/8"]),
    (f"{ROUTE}deny: [10.0.0.0/33, '::1']", ["4:10: routes[0].deny[0]: '10.0.0.0/33' is not a network: expected one such as 10.0.0.0/8, or an address"]),
    (f"{ROUTE}deny: here", ["4:9: routes[0].deny: 'here' is not a network: expected one such as 10.0.0.0/8, or an address"]),
    (f"{ROUTE}allow: [10.0.0.0/8, ~]", ["4:23: routes[0].allow[1]: is empty: expected a value, or no such key"]),
    (f"{ROUTE}allow: 10.0.0.0/8\n  deny: ['::1', 10.0.0.0/8]", ["5:9: routes[0].deny: 10.0.0.0/8 is both allowed and denied: expected it once"]),
    (f"{ROUTE}deny: {{}}", ["4:9: routes[0].deny: expected a single value, not a mapping"]),
]  # fmt: skip

LIMITS = [
    (f"{ROUTE}rate: 100", ["4:9: routes[0].rate: '100' is not a rate: expected one such as 100/s, 30/m or 1000/h"]),
    (f"{ROUTE}rate: 0/s", ["4:9: routes[0].rate: '0/s' is not a rate: expected one such as 100/s, 30/m or 1000/h"]),
    (f"{ROUTE}rate: {{burst: 5}}", ["4:9: routes[0].rate.limit: is missing"]),
    (f"{ROUTE}rate: {{limit: 5/s, burst: 0}}", ["4:29: routes[0].rate.burst: '0' is not understood: expected 1 to 10000000"]),
    (f"{ROUTE}rate: {{limit: 5/d}}", ["4:17: routes[0].rate.limit: '5/d' is not a rate: expected one such as 100/s, 30/m or 1000/h"]),
    (f"{ROUTE}per_client: 5", ["4:15: routes[0].per_client: expected a mapping"]),
    (f"{ROUTE}per_client: {{max_connection: 5, rate: 1}}", ["4:16: routes[0].per_client.max_connection: key 'max_connection' is not known; did you mean 'max_connections'? (max_connections, rate, ipv4_prefix, ipv6_prefix)", "4:41: routes[0].per_client.rate: '1' is not a rate: expected one such as 100/s, 30/m or 1000/h"]),
    (f"{ROUTE}per_client: {{ipv6_prefix: 0, ipv4_prefix: 33}}", ["4:29: routes[0].per_client.ipv6_prefix: '0' is not understood: expected 1 to 128", "4:45: routes[0].per_client.ipv4_prefix: '33' is not understood: expected 1 to 32"]),
    (f"{ROUTE}unknown_clients: allow", ["4:20: routes[0].unknown_clients: 'allow' is not known: expected refuse or admit"]),
    (f"{ROUTE}bandwidth: {{connection: 10MiB}}", ["4:27: routes[0].bandwidth.connection: '10MiB' is not a bandwidth: expected one such as 10MiB/s"]),
    (f"{ROUTE}bandwidth: {{connection: 10MiB/m, route: 0/s}}", ["4:27: routes[0].bandwidth.connection: '10MiB/m' is not a bandwidth: expected one such as 10MiB/s", "4:43: routes[0].bandwidth.route: '0' is too small: expected 1 byte or more"]),
    (f"{ROUTE}bandwidth: 10MiB/s", ["4:14: routes[0].bandwidth: expected a mapping"]),
    (f"{ROUTE}timeouts: {{client_hello: 5, lifetime: 0s, half_closed: x}}", ["4:28: routes[0].timeouts.client_hello: '5' has no unit: write 5s for seconds, or use ms, m, h, d", "4:41: routes[0].timeouts.lifetime: '0s' is too short: expected 1ms or more", "4:58: routes[0].timeouts.half_closed: 'x' is not understood: expected a duration such as 250ms, 5s, 10m, 1h or 2d"]),
]  # fmt: skip

ACCEPT_PROXY = [
    (f"{ROUTE}accept_proxy: required", ["4:17: routes[0].accept_proxy: anybody could name any address: expected 'trusted' with it, the networks of the proxies before this one"]),
    (f"{ROUTE}accept_proxy: optional\n  trusted: 10.0.0.0/8", ["4:17: routes[0].accept_proxy: 'optional' is not known: expected required"]),
    (f"{ROUTE}trusted: 10.0.0.0/8", ["2:3: routes[0]: 'trusted' has no effect: expected 'accept_proxy: required' with it"]),
    (f"{ROUTE}accept_proxy: required\n  trusted: []", ["4:17: routes[0].accept_proxy: anybody could name any address: expected 'trusted' with it, the networks of the proxies before this one"]),
]  # fmt: skip

SNI = [
    (two("{names: x.example, route: c}"), ["2:56: routes[0].sni.route: route 'c' is not known: expected the name of another route"]),
    (two("{names: x.example, route: a}"), ["2:56: routes[0].sni.route: 'a' is this route itself: expected another one"]),
    (two("[{names: x.example, route: b}, {names: [y.example, X.example.], route: b}, {alpn: [h2, h2], route: b}]"), ["2:81: routes[0].sni[1].names[1]: 'x.example' is in sni[0] already: expected it once", "2:117: routes[0].sni[2].alpn[1]: 'h2' is in sni[2] already: expected it once"]),
    (two("{route: b}"), ["2:30: routes[0].sni: has neither names nor alpn: expected one of them, or both"]),
    (two("{names: x.example}"), ["2:30: routes[0].sni.route: is missing", "3:3: routes[1].listen: is missing, and no other route's 'sni' leads here: expected one of them"]),
    (two("{names: '*.*.example', alpn: '', route: b}"), ["2:38: routes[0].sni.names: '*.*.example' is not a server name: expected one such as example.org, or *.example.org for all below it", "2:59: routes[0].sni.alpn: '' is not a protocol: expected one such as h2 or http/1.1"]),
    (two("[]"), ["2:3: routes[0].backends: is missing", "3:3: routes[1].listen: is missing, and no other route's 'sni' leads here: expected one of them"]),
    (two("h2"), ["2:30: routes[0].sni: expected a mapping", "3:3: routes[1].listen: is missing, and no other route's 'sni' leads here: expected one of them"]),
]  # fmt: skip

REACH = [
    ("routes: [{name: a, listen: 80, sni: {alpn: h2, route: b}}]", ["1:55: routes[0].sni.route: route 'b' is not known: expected the name of another route"]),
    ("routes: [{name: a, listen: 80, sni: {alpn: h2, route: b}}, {name: b, backends: b:80, sni: {alpn: h2, route: c}}, {name: c, backends: b:80}]", ["1:55: routes[0].sni.route: 'b' has 'sni' itself: expected a route without it", "1:86: routes[1].sni: has no effect without 'listen': expected it in the route that accepts"]),
    ("routes: [{name: a, listen: 80, sni: {alpn: h2, route: b}}, {name: b, backends: b:80, allow: 10.0.0.1, rate: 1/s}]", ["1:86: routes[1].allow: has no effect without 'listen': expected it in the route that accepts", "1:103: routes[1].rate: has no effect without 'listen': expected it in the route that accepts"]),
    ("routes: [{name: a, listen: 80, backends: b:80}, {name: b, backends: b:80}]", ["1:49: routes[1].listen: is missing, and no other route's 'sni' leads here: expected one of them"]),
    ("routes: [{name: a, listen: 80}]", ["1:10: routes[0].backends: is missing"]),
    ("routes: [{name: a, listen: 80, sni: {alpn: h2, route: b}}, {name: b}]", ["1:60: routes[1].backends: is missing"]),
    ("routes: [{name: a, listen: 80, sni: {alpn: h2, route: wbe}}, {name: web, backends: b:80}, 5]", ["1:55: routes[0].sni.route: route 'wbe' is not known (did you mean 'web'?): expected the name of another route", "1:91: routes[2]: expected a mapping"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), [*ADMISSION, *LIMITS, *ACCEPT_PROXY, *SNI, *REACH])
def test_mistakes(text: str, said: list[str]) -> None:
    assert mistakes_of(text) == said
