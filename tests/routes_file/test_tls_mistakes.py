"""What is wrong with TLS in a file: its text, and the files that it names."""

from pathlib import Path

import pytest

from spliceproxy.errors import RefusedFile
from spliceproxy.routes_file.load import load
from spliceproxy.tls.route_tls import find_mistakes
from tests.routes_file.reading import mistakes_of, settings_of
from tests.tls.authority import Authority

LISTEN = [
    ("{key: /k}", ["key: has no effect without `certificate`: expected both"]),
    ("{alpn: h2}", [": has no certificate: expected certificate, certificates or self_signed"]),
    (
        "{certificate: /c, self_signed: true}",
        ["self_signed: there is a certificate already: expected one of them"],
    ),
    (
        "{certificate: /c, require: true, crl: /r, clients: {cn: a}}",
        [
            "require: has no effect without `client_ca`: expected both",
            "crl: has no effect without `client_ca`: expected both",
            "clients: has no effect without `client_ca`: expected both",
        ],
    ),
    (
        "{certificate: /c, client_ca: /a, require: maybe}",
        ["require: 'maybe' is not known: expected true or optional"],
    ),
    (
        "{certificate: /c, client_ca: /a, clients: {}}",
        ["clients: lets nobody in: expected one of cn, ou, dns, uri and spki"],
    ),
    (
        "{certificate: /c, client_ca: /a, clients: {spki: abc}}",
        [
            "clients.spki: 'abc' is not a pin: expected sha256// and the SHA-256 of a public key in base64, 44 characters"
        ],
    ),
    (
        "{certificate: /c, ciphers: [modern, ECDHE-X]}",
        ["ciphers: 'modern' stands for a whole list: expected it alone, or names alone"],
    ),
    (
        "{certificate: /c, ciphers: TLS_AES_128_GCM_SHA256}",
        [
            "ciphers: 'TLS_AES_128_GCM_SHA256' is one of TLS 1.3, which cannot be chosen: expected names of TLS 1.2 such as ECDHE-ECDSA-AES128-GCM-SHA256"
        ],
    ),
    (
        "{certificate: /c, min_version: 1.1}",
        ["min_version: '1.1' is not known; did you mean '1.3'? (1.2, 1.3)"],
    ),
    (
        '{certificate: ""}',
        ["certificate: '' is not the path of a file: expected one such as /etc/ssl/site.pem"],
    ),
]
BACKEND = [
    (
        "db:1, tls: {ca: /a, verify: false}",
        ["ca: has no effect with `verify: false`: expected one of them"],
    ),
    ("db:1, tls: {key: /k}", ["key: has no effect without `certificate`: expected both"]),
    ("unix:/s, tls: true", [": a unix socket has no name to check: expected `name`"]),
    ("srv:_db._tcp.a, tls: true", [": which names srv: lists is up to DNS: expected `name`"]),
    ("db:1, tls: {name: 'a b'}", ["name: 'a b' is not a host name: expected labels"]),
]


def without_place(text: str, key: str) -> list[str]:
    return [said.partition(f"{key}.tls")[2].lstrip(".") for said in mistakes_of(text)]


@pytest.mark.parametrize(("tls", "said"), LISTEN)
def test_mistakes_of_listeners(tls: str, said: list[str]) -> None:
    text = f"routes: [{{listen: {{address: 1, tls: {tls}}}, backends: b:1}}]"
    assert without_place(text, "listen") == said


@pytest.mark.parametrize(("backend", "said"), BACKEND)
def test_mistakes_of_backends(backend: str, said: list[str]) -> None:
    address, _, tls = backend.partition(", ")
    text = f"routes: [{{listen: 1, backends: [{{address: '{address}', {tls}}}]}}]"
    found = without_place(text, "backends[0]")
    assert [one[: len(other)] for one, other in zip(found, said, strict=True)] == said


def test_the_short_forms() -> None:
    text = """
    routes:
      - listen: {address: 1, tls: /a.pem}
        backends: [{address: 'b:1', tls: true}, {address: 'b:2', tls: false}, {address: 'b:3'}]
    """
    route = settings_of(text).routes[0]
    assert route.listen[0].tls is not None
    assert route.listen[0].tls.certificate == "/a.pem"
    assert [backend.tls is not None for backend in route.backends] == [True, False, False]


def test_files_are_told_by_the_position_of_their_key(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue("localhost")
    Path(pair.key).chmod(0o644)
    file = tmp_path / "routes.yaml"
    file.write_text(
        f"""routes:
  - listen:
      - 1
      - address: 2
        tls:
          certificates:
            - certificate: {pair.certificate}
              key: {pair.key}
    backends:
      - address: db:1
        tls: {{ca: /missing}}
    mirrors:
      - {{to: 'tls://shadow:1', ca: /missing}}
      - tls://shadow:2?certificate=/missing
  - name: short
    listen: {{address: 3, tls: {pair.key}}}
    backends: db:1
"""
    )
    load(str(file))
    with pytest.raises(RefusedFile) as refused:
        load(str(file), look=find_mistakes)
    mode = f"everybody may read the key in {pair.key} (mode 0644)"
    missing = "cannot read /missing (No such file or directory)"
    assert [
        line.removeprefix(f"{file}:").rpartition(": ")[0] for line in refused.value.mistakes
    ] == [
        f"8:20: error: routes[0].listen[1].tls.certificates[0].key: {mode}",
        f"11:19: error: routes[0].backends[0].tls.ca: {missing}",
        f"13:36: error: routes[0].mirrors[0].ca: {missing}",
        f"14:9: error: routes[0].mirrors[1].certificate: {missing}",
        f"16:31: error: routes[1].listen.tls.certificate: {mode}",
    ]


@pytest.mark.parametrize(
    ("admin", "what"),
    [
        ("{listen: {address: 'unix:/a', tls: /c}}", "who its clients are the kernel says"),
        ("{listen: {address: 1, tls: /c}}", "1 can be reached from elsewhere: expected a token"),
        (
            "{listen: {address: 1, tls: {certificate: /c, client_ca: /c, require: optional}}}",
            "1 can be reached from elsewhere: expected a token",
        ),
        (
            "{listen: {address: 127.0.0.1:1, tls: /c}, certificate_operators: {cn: a}}",
            "nobody is asked for a certificate: expected `client_ca` in `tls`",
        ),
    ],
)
def test_the_admin_interface(admin: str, what: str) -> None:
    text = f"admin: {admin}\nroutes: [{{listen: 1, backends: b:1}}]"
    assert [what in said for said in mistakes_of(text)] == [True]


def test_an_admin_interface_that_asks_for_certificates_needs_no_token() -> None:
    tls = "{certificate: /c, client_ca: /c}"
    text = f"admin: {{listen: {{address: 1, tls: {tls}}}, certificate_operators: {{cn: a}}}}"
    assert mistakes_of(f"{text}\nroutes: [{{listen: 1, backends: b:1}}]") == []
