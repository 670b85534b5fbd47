"""Golden pairs: a file, and everything that is said against it."""

import pytest

from spliceproxy.errors import alternatives
from spliceproxy.routes_file.model import keys_at
from tests.routes_file.reading import ROUTE, mistakes_of

IN_ROUTE = "routes:\n- name: a\n  listen: 80\n  backends: [b:80]\n  "
"""What a test appends begins at 5:3."""


DEFAULTS_KEYS = alternatives(keys_at(("defaults",)))

SYNTAX = [
    ("", ["1:1: the file is empty: expected routes"]),
    ("# nothing\n", ["1:1: the file is empty: expected routes"]),
    ("routes: [", ["1:10: not YAML: expected the node content, but found '<stream end>'"]),
    ("a: b: c", ["1:5: not YAML: mapping values are not allowed here"]),
    (
        "a:\n\tb: 1",
        [
            (
                "2:1: not YAML: found character '\\t' that cannot start any token; "
                "put quotes around the text"
            )
        ],
    ),
    ("a: *b", ["1:4: not YAML: found undefined alias 'b'"]),
    (f"{ROUTE}---\n{ROUTE}", ["2:1: a second document: expected one in a file"]),
    ("a: \x07", ["1:4: the character U+0007 is not allowed"]),
    ("[" * 30, ["1:21: more than 20 levels within one another"]),
    ("#" * (256 << 10) + "x", ["1:1: the file is too large: expected at most 256 KiB"]),
    ("- a", ["1:1: expected a mapping"]),
    ("a", ["1:1: expected a mapping"]),
]

KEYS = [
    ("{}", ["1:1: routes: is missing"]),
    ("routes: []", ["1:9: routes: is empty: expected one or more"]),
    ("routes:", ["1:8: routes: is empty: expected a value, or no such key"]),
    ("routes: {}", ["1:9: routes: expected a list"]),
    ("routes: [a]", ["1:10: routes[0]: expected a mapping"]),
    (
        "routes: [{}]",
        [
            "1:10: routes[0].backends: is missing",
            "1:10: routes[0].listen: is missing, and no other route's 'sni' leads here: expected one of them",
        ],
    ),
    (
        f"{IN_ROUTE}lissen: 81",
        [
            (
                "5:3: routes[0].lissen: key 'lissen' is not known; did you mean 'listen'? "
                f"({', '.join(keys_at(('routes', 0)))})"
            )
        ],
    ),
    (
        f"{IN_ROUTE}timeouts: {{idel: 1s, connect_s: 1s}}",
        [
            (
                "5:14: routes[0].timeouts.idel: key 'idel' is not known; did you mean 'idle'? "
                "(connect, next_address, idle, tcp_user, client_hello, half_closed, lifetime)"
            ),
            (
                "5:24: routes[0].timeouts.connect_s: key 'connect_s' is not known; did you mean "
                "'connect'? (connect, next_address, idle, tcp_user, client_hello, half_closed, lifetime)"
            ),
        ],
    ),
    (
        f"{ROUTE}log: {{level: info, level: debug}}",
        ["2:20: log.level: given twice, first in line 2: expected once"],
    ),
    (
        f"{IN_ROUTE}listen: 81",
        ["5:3: routes[0].listen: given twice, first in line 3: expected once"],
    ),
    (f"{ROUTE}? [a]\n: 1", ["2:3: a key is a plain word: expected no list, mapping or tag"]),
    (f"{ROUTE}!!str log: {{}}", ["2:1: a key is a plain word: expected no list, mapping or tag"]),
    (
        f"{ROUTE}drain_timeout_s: 1s",
        [
            (
                "2:1: drain_timeout_s: key 'drain_timeout_s' is not known; did you mean "
                f"'drain_timeout'? ({', '.join(keys_at(()))})"
            )
        ],
    ),
]

VALUES = [
    (f"{ROUTE}workers: many", ["2:10: workers: 'many' is not understood: expected 1 to 1024, or 'auto'"]),
    (f"{ROUTE}workers: 0x10", ["2:10: workers: '0x10' is not understood: expected 1 to 1024, or 'auto'"]),
    (f"{ROUTE}workers: [1]", ["2:10: workers: expected a single value, not a list"]),
    (f"{ROUTE}workers: {{a: 1}}", ["2:10: workers: expected a single value, not a mapping"]),
    (f"{ROUTE}workers: ~", ["2:10: workers: is empty: expected a value, or no such key"]),
    (f"{ROUTE}workers:", ["2:9: workers: is empty: expected a value, or no such key"]),
    (f"{ROUTE}log: json", ["2:6: log: expected a mapping"]),
    (
        f"{ROUTE}log: {{level: warn}}",
        [
            ("2:14: log.level: 'warn' is not known; did you mean 'warning'? "
            "(debug, info, warning, error)")
        ],
    ),
    (f"{ROUTE}log: {{format: xml}}", ["2:15: log.format: 'xml' is not known: expected auto, console or json"]),
    (f"{ROUTE}drain_timeout: 30", ["2:16: drain_timeout: '30' has no unit: write 30s for seconds, or use ms, m, h, d"]),
    (f"{ROUTE}drain_timeout: 30sec", ["2:16: drain_timeout: unit 'sec' in '30sec' is not known: expected ms, s, m, h or d"]),
    (f"{ROUTE}drain_timeout: 64KiB", ["2:16: drain_timeout: unit 'KiB' in '64KiB' is not known: expected ms, s, m, h or d"]),
    (f"{ROUTE}mirror_budget: 1s", ["2:16: mirror_budget: unit 's' in '1s' is not known: expected KiB, MiB, GiB, KB, ..."]),
    (f"{ROUTE}mirror_budget: 0", ["2:16: mirror_budget: '0' is too small: expected 1 byte or more"]),
    (f"{IN_ROUTE}timeouts: {{idle: 0s}}", ["5:20: routes[0].timeouts.idle: '0s' is too short: expected 1ms or more"]),
    (f"{IN_ROUTE}timeouts: 5s", ["5:13: routes[0].timeouts: expected a mapping"]),
    (f"{IN_ROUTE}backlog: -1", ["5:12: routes[0].backlog: '-1' is not understood: expected 1 to 2147483647"]),
    (f"{IN_ROUTE}max_connections: 1.5", ["5:20: routes[0].max_connections: '1.5' is not understood: expected 1 to 10000000"]),
    ("routes: [{listen: [], backends: [b:80]}]", ["1:19: routes[0].listen: is empty: expected one or more"]),
    ("routes: [{listen: 80, backends: []}]", ["1:33: routes[0].backends: is empty: expected one or more"]),
    ("routes: [{listen: 80, backends: [b]}]", ["1:34: routes[0].backends[0]: 'b' has no port: expected HOST:PORT, [IPV6]:PORT or unix:PATH"]),
    ("routes: [{listen: 80, backends: [{}]}]", ["1:34: routes[0].backends[0].address: is missing"]),
    (
        "routes: [{listen: [{a: 1}], backends: b:1}]",
        [
            "1:20: routes[0].listen[0].address: is missing",
            "1:21: routes[0].listen[0].a: key 'a' is not known: expected address, mode, owner, group or tls",
        ],
    ),
    ("routes: [{listen: [80, ~], backends: b:1}]", ["1:24: routes[0].listen[1]: is empty: expected a value, or no such key"]),
    (
        "routes: [{name: a b, listen: 80, backends: b:1}]",
        ["1:17: routes[0].name: 'a b' is not a name: expected a letter, then letters, digits, '-', '_' and '.', at most 64"],
    ),
]  # fmt: skip

LISTEN = [
    ("routes: [{listen: 'fd:2', backends: b:1}]", ["1:19: routes[0].listen: 'fd:2' is no descriptor to listen on: expected fd:3 or above"]),
    ("routes: [{listen: 'fd:x', backends: b:1}]", ["1:19: routes[0].listen: 'fd:x' is no descriptor to listen on: expected fd:3 or above"]),
    (
        "routes: [{listen: 'systemd:', backends: b:1}]",
        ["1:19: routes[0].listen: 'systemd:' has no valid name: expected what FileDescriptorName= of the socket unit says, or the unit's own name"],
    ),
    ("routes: [{listen: {address: 80, mode: '0660'}, backends: b:1}]", ["1:39: routes[0].listen.mode: has no effect on 80: expected it with unix:PATH only"]),
    ("routes: [{listen: {address: 'fd:3', owner: root}, backends: b:1}]", ["1:44: routes[0].listen.owner: has no effect on fd:3: expected it with unix:PATH only"]),
    ("routes: [{listen: {address: 'unix:@a', mode: '0660'}, backends: b:1}]", ["1:46: routes[0].listen.mode: has no effect on unix:@a, which has no file: expected it with unix:PATH only"]),
    ("routes: [{listen: 'unix:@a', accept_proxy: required, trusted: 10.0.0.0/8, backends: b:1}]", ["1:19: routes[0].listen: whoever shares its network namespace may connect to an abstract socket, and could name any address: expected no `accept_proxy`, or unix:PATH"]),
    ("admin: {listen: 'unix:@a'}\nroutes: [{listen: 80, backends: b:1}]", ["1:17: admin.listen: unix:@a is open to whoever shares its network namespace: expected unix:PATH, whose mode says who may connect"]),
    ("stats_socket: unix:@a\nroutes: [{listen: 80, backends: b:1}]", ["1:15: stats_socket: cannot be unix:@a: expected unix:PATH"]),
    ("routes: [{listen: {address: 'unix:/a', mode: '0690'}, backends: b:1}]", ["1:46: routes[0].listen.mode: '0690' is not a mode: expected three octal digits, as in '0660'"]),
    (
        "routes: [{listen: {address: 'unix:/a', mode: 0660}, backends: b:1}]",
        ["1:46: routes[0].listen.mode: '0660' is ambiguous, as some read it as octal: expected no leading zero, or quotes around a text"],
    ),
    ("routes: [{listen: {address: 'unix:/a', group: a b}, backends: b:1}]", ["1:47: routes[0].listen.group: 'a b' is no name or number of a user or group"]),
    ("routes: [{listen: [systemd, 'systemd:web'], backends: b:1}]", ["1:29: routes[0].listen[1]: 'systemd:web' is taken by routes[0].listen[0], line 1: expected another address"]),
    ("routes: [{listen: [{address: 'unix:/a'}, 'unix:/a'], backends: b:1}]", ["1:42: routes[0].listen[1]: 'unix:/a' is taken by routes[0].listen[0], line 1: expected another address"]),
]  # fmt: skip

OLD_YAML = [
    (f"{ROUTE}splice: on", ["2:9: splice: 'on' is not a flag: expected true"]),
    (f"{ROUTE}splice: No", ["2:9: splice: 'No' is not a flag: expected false"]),
    (f"{ROUTE}splice: 1", ["2:9: splice: '1' is not a flag: expected true or false"]),
    (
        "routes: [{listen: 22:22, backends: b:1}]",
        ["1:19: routes[0].listen: '22' is not an IPv4 address: expected four numbers of 0 to 255"],
    ),
    (f"{ROUTE}drain_timeout: 1:30", ["2:16: drain_timeout: '1:30' is not understood: expected a duration such as 250ms, 5s, 10m, 1h or 2d"]),
    (
        f"{IN_ROUTE}backlog: 017",
        ["5:12: routes[0].backlog: '017' is ambiguous, as some read it as octal: expected no leading zero, or quotes around a text"],
    ),
    (f"{IN_ROUTE}backlog: 1_000", ["5:12: routes[0].backlog: '1_000' is not understood: expected 1 to 2147483647"]),
    (f"{ROUTE}splice: !!bool true", ["2:9: splice: tag '!!bool' is not allowed: expected none"]),
    (f"{ROUTE}log: !!python/object:os.system {{}}", ["2:6: log: tag '!!python/object:os.system' is not allowed: expected none"]),
    (f"{ROUTE}log: !mine {{}}", ["2:6: log: tag '!mine' is not allowed: expected none"]),
    (
        f"{ROUTE}log: {{<<: {{level: info}}}}",
        ["2:7: log['<<']: key '<<' is not known: expected to, format or level"],
    ),
]  # fmt: skip

MIRRORS = [
    (f"{IN_ROUTE}mirrors: tpc://h:1", ["5:12: routes[0].mirrors: scheme 'tpc' in 'tpc://h:1' is not known (did you mean 'tcp'?): expected file:DIR, capture:DIR, tcp://HOST:PORT, tls://HOST:PORT, unix:PATH, exec:COMMAND or null:"]),
    (f"{IN_ROUTE}mirrors: [\"null:?sample=1\"]", ["5:13: routes[0].mirrors[0]: 'null:': sample='1' is not a percentage: expected one such as 10% or 0.5%"]),
    (f"{IN_ROUTE}mirrors: [{{overflow: gap}}]", ["5:13: routes[0].mirrors[0]: the mirror has no place: expected to: file:DIR, capture:DIR, tcp://HOST:PORT, tls://HOST:PORT, unix:PATH, exec:COMMAND or null:"]),
    (
        f"{IN_ROUTE}mirrors: [{{to: \"file:/a\", overflow: spil, buffer: 8M, smaple: 1%}}]",
        [
            "5:39: routes[0].mirrors[0].overflow: 'spil' is not known: expected detach, gap, spill or block",
            "5:53: routes[0].mirrors[0].buffer: '8M' is ambiguous: write 8MiB (powers of 1024) or 8MB",
            "5:65: routes[0].mirrors[0].smaple: option 'smaple' is not known (did you mean 'sample'?): expected direction, sample, clients, server_names, max_bytes, buffer, overflow, max_age, max_total, keep_free or trust_directory",
        ],
    ),
    (f"{IN_ROUTE}mirrors: [{{to: \"file:/a\", overflow: spill}}]", ["5:39: routes[0].mirrors[0].overflow: overflow=spill is not for file: expected detach, gap or block"]),
    (f"{IN_ROUTE}mirrors: [{{to: \"tcp://h:1\", spool: 1GiB}}]", ["5:38: routes[0].mirrors[0].spool: option 'spool' has no effect: expected overflow=spill with it"]),
    (f"{IN_ROUTE}mirrors: [{{to: \"tcp://h:1?sample=1%\"}}]", ["5:18: routes[0].mirrors[0].to: 'tcp://h:1?sample=1%' has options behind '?': expected each as a key of its own"]),
    (f"{IN_ROUTE}mirrors: [{{to: \"tcp://h\"}}]", ["5:18: routes[0].mirrors[0].to: 'tcp://h': 'h' has no port: expected HOST:PORT or [IPV6]:PORT"]),
    (f"{IN_ROUTE}mirrors: [{{to: \"exec:a\", shell: yes}}]", ["5:35: routes[0].mirrors[0].shell: 'yes' is not a flag: expected true"]),
    (f"{IN_ROUTE}mirrors: [{{to: \"exec:a\", scope: [a]}}]", ["5:35: routes[0].mirrors[0].scope: expected a single value"]),
    (f"{IN_ROUTE}mirrors: [[a]]", ["5:13: routes[0].mirrors[0]: expected a URL, or a mapping with 'to'"]),
]  # fmt: skip

TWO = "routes:\n- {{name: a, listen: {}, backends: b:1}}\n- {{name: {}, listen: {}, backends: b:1}}"

CLASHES = [
    (TWO.format("80", "a", "81"), ["3:10: routes[1].name: 'a' is the name of routes[0] too: expected another one"]),
    (TWO.format("80", "b", "80"), ["3:21: routes[1].listen: '80' is taken by routes[0].listen, line 2: expected another address"]),
    (TWO.format("80", "b", "[81, 127.0.0.1:80]"), ["3:26: routes[1].listen[1]: '127.0.0.1:80' is taken by routes[0].listen, line 2: expected another address"]),
    (TWO.format("unix:/a", "b", "unix:/a"), ["3:21: routes[1].listen: 'unix:/a' is taken by routes[0].listen, line 2: expected another address"]),
    ("routes: [{listen: [80, 80], backends: b:1}]", ["1:24: routes[0].listen[1]: '80' is taken by routes[0].listen[0], line 1: expected another address"]),
    ("routes: [{listen: 0, backends: b:1}, {listen: 0, backends: b:1}]", ["1:38: routes[1]: 'default' is the name of routes[0] too: expected another one"]),
]  # fmt: skip

ENVIRONMENT = [
    (f"{ROUTE}workers: ${{NO}}", ["2:10: workers: the environment variable 'NO' is not set: set it, or write ${NO:-default}"]),
    (f"{ROUTE}workers: ${{NO:-many}}", ["2:10: workers: 'many' is not understood: expected 1 to 1024, or 'auto'"]),
    (f"{ROUTE}workers: ${{1}}", ["2:10: workers: '${1}' is not understood: expected ${NAME} or ${NAME:-default}, or $${ for the characters themselves"]),
    (f"{ROUTE}workers: $${{NO}}", ["2:10: workers: '${NO}' is not understood: expected 1 to 1024, or 'auto'"]),
]  # fmt: skip

DEFAULTS = [
    (f"{ROUTE}defaults: 1", ["2:11: defaults: expected a mapping"]),
    (
        f"{ROUTE}defaults: {{listen: 80, name: a}}",
        [
            f"2:12: defaults.listen: key 'listen' is not known: expected {DEFAULTS_KEYS}",
            f"2:24: defaults.name: key 'name' is not known: expected {DEFAULTS_KEYS}",
        ],
    ),
    # Once, however many routes take it over.
    (f"{TWO.format('80', 'b', '81')}\ndefaults: {{timeouts: {{idle: 5}}}}", ["4:29: defaults.timeouts.idle: '5' has no unit: write 5s for seconds, or use ms, m, h, d"]),
    (f"{IN_ROUTE}backlog: 1\ndefaults: {{backlog: x}}", ["6:21: defaults.backlog: 'x' is not understood: expected 1 to 2147483647"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [*SYNTAX, *KEYS, *VALUES, *LISTEN, *OLD_YAML, *MIRRORS, *CLASHES, *ENVIRONMENT, *DEFAULTS],
)
def test_mistakes(text: str, said: list[str]) -> None:
    assert mistakes_of(text) == said


def test_all_mistakes_of_all_kinds_in_one_run_by_line() -> None:
    text = """\
workers: many
routes:
- name: web
  listen: 127.0.0.1:99999
  backends: [10.0.0.1]
  mirrors: [{to: "tcp://h:1", overflow: gap}]
- name: web
  listen: ${PORT}
  timeouts: {idle: 5}
  timeouts: {}
"""
    places = [line.split(": ")[:2] for line in mistakes_of(text)]
    assert places == [
        ["1:10", "workers"],
        ["4:11", "routes[0].listen"],
        ["5:14", "routes[0].backends[0]"],
        ["6:41", "routes[0].mirrors[0].overflow"],
        ["7:3", "routes[1].backends"],
        ["7:9", "routes[1].name"],
        ["8:11", "routes[1].listen"],
        ["9:20", "routes[1].timeouts.idle"],
        ["10:3", "routes[1].timeouts"],
    ]
