import os
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.settings.address import (
    Address,
    TcpAddress,
    UnixAddress,
    parse_backend,
)
from spliceproxy.settings.listen_address import parse_listen

LONGEST_LABEL = "a" * 63
LONGEST_NAME = ".".join([LONGEST_LABEL] * 3 + ["a" * 61])
LONGEST_PATH = "/" + "p" * 106

BOTH = [
    ("127.0.0.1:80", TcpAddress("127.0.0.1", 80)),
    ("[::1]:80", TcpAddress("::1", 80)),
    ("[0:0:0:0:0:0:0:1]:65535", TcpAddress("::1", 65535)),
    ("[2001:DB8::A]:443", TcpAddress("2001:db8::a", 443)),
    ("[fe80::1%eth0]:80", TcpAddress("fe80::1%eth0", 80)),
    ("localhost:080", TcpAddress("localhost", 80)),
    ("Example.ORG.:80", TcpAddress("example.org.", 80)),
    ("my_service.internal:80", TcpAddress("my_service.internal", 80)),
    (
        "b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example:1",
        TcpAddress("xn--bcher-kva.example", 1),
    ),
    (f"{LONGEST_NAME}:1", TcpAddress(LONGEST_NAME, 1)),
    ("unix:/run/app.sock", UnixAddress("/run/app.sock")),
    ("unix:relative path", UnixAddress("relative path")),
    (f"unix:{LONGEST_PATH}", UnixAddress(LONGEST_PATH)),
]
LISTEN_ONLY = [
    ("8080", TcpAddress(None, 8080)),
    ("0", TcpAddress(None, 0)),
    ("65535", TcpAddress(None, 65535)),
    ("[::]:0", TcpAddress("::", 0)),
]
# What is wrong, and a word that the message must hold.
WRONG = [
    ("", "empty"),
    (" ", "empty"),
    (":80", "empty host"),
    ("host", "no port"),
    ("host:", "port"),
    ("host:http", "port"),
    ("host:-1", "port"),
    ("host: 80", "port"),
    ("host:\N{FULLWIDTH DIGIT EIGHT}", "port"),
    ("host:65536", "0 to 65535|1 to 65535"),
    ("host:" + "9" * 10_000, "out of range"),
    ("::1:8080", r"\[::1\]:8080"),
    ("2001:db8::1", r"\[2001:db8::1\]:PORT"),
    ("1:2:3", "too many colons"),
    ("[::1]", r"\[IPV6\]:PORT"),
    ("[::1]80", r"\[IPV6\]:PORT"),
    ("[::1:80", r"\[IPV6\]:PORT"),
    ("[]:80", "not an IPv6 address"),
    ("[127.0.0.1]:80", "not an IPv6 address"),
    ("[fe80::1%]:80", "interface"),
    ("[fe80::1%a b]:80", "interface"),
    ("256.0.0.1:80", "not an IPv4 address"),
    ("10.1:80", "not an IPv4 address"),
    ("0x7f000001:80", "not an IPv4 address"),
    ("127.0.0.01:80", "not an IPv4 address"),
    ("*:80", "port alone"),
    ("http://example.org:80", "without a scheme"),
    ("/run/app.sock", "unix:PATH"),
    ("two words:80", "not a host name"),
    ("-dash:80", "not a host name"),
    ("dash-.org:80", "not a host name"),
    ("two..dots:80", "not a host name"),
    (".:80", "not a host name"),
    (f"{LONGEST_LABEL}a.org:80", "63"),
    (f"{LONGEST_NAME}a:80", "253"),
    ("\N{SOFT HYPHEN}:80", "international|host name"),
    ("\N{LATIN SMALL LETTER U WITH DIAERESIS}" * 100_000 + ":80", "international"),
    ("unix:", "path is empty"),
    ("unix:@", "no name"),
    (f"unix:{LONGEST_PATH}p", "108 bytes"),
    ("unix:" + "\N{EURO SIGN}" * 36, "108 bytes"),
    ("unix:/a\x00b", "not printable"),
    ("unix:/a\nb", "not printable"),
    ("unix:/\ud800", "not printable"),
]


@pytest.mark.parametrize(("text", "expected"), [*BOTH, *LISTEN_ONLY])
def test_listen(text: str, expected: Address) -> None:
    assert parse_listen(text) == expected


@pytest.mark.parametrize(("text", "expected"), BOTH)
def test_backend(text: str, expected: Address) -> None:
    assert parse_backend(text) == expected


@pytest.mark.parametrize(("text", "said"), WRONG)
@pytest.mark.parametrize("parse", [parse_listen, parse_backend])
def test_what_is_wrong_is_said_in_one_printable_line(
    parse: Callable[[str], Address], text: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        parse(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("text", ["8080", "0", "99999"])
def test_a_backend_needs_a_host(text: str) -> None:
    with pytest.raises(ValueError, match="no host"):
        parse_backend(text)


def test_a_backend_cannot_have_port_0() -> None:
    with pytest.raises(ValueError, match="1 to 65535"):
        parse_backend("127.0.0.1:0")


@pytest.mark.parametrize("text", ["65536", "9" * 10_000])
def test_a_port_alone_is_bounded(text: str) -> None:
    with pytest.raises(ValueError, match="0 to 65535"):
        parse_listen(text)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (TcpAddress(None, 8080), "8080"),
        (TcpAddress("::1", 80), "[::1]:80"),
        (TcpAddress("example.org", 80), "example.org:80"),
        (UnixAddress("/run/app.sock"), "unix:/run/app.sock"),
        (UnixAddress("@app"), "unix:@app"),
    ],
)
def test_text_form(address: Address, text: str) -> None:
    assert str(address) == text


FORMS = frozenset({"fd", "systemd", "unix"})
"""Before a colon these are no hosts."""

ports = st.integers(1, 65535)
names = st.from_regex(r"\A([a-z]([a-z0-9-]{0,20}[a-z0-9])?\.){0,3}[a-z]{1,10}\Z").filter(
    lambda name: name not in FORMS
)
paths = st.text(min_size=1, max_size=40).filter(
    lambda path: path.isprintable() and len(os.fsencode(path)) <= 107 and path != "@"
)
hosts = st.one_of(names, st.ip_addresses().map(str))
addresses = st.one_of(st.builds(TcpAddress, hosts, ports), st.builds(UnixAddress, paths))


@given(addresses)
def test_the_text_form_is_read_back_as_the_same_address(address: Address) -> None:
    assert parse_listen(str(address)) == address
    assert parse_backend(str(address)) == address


nearly = st.text(
    alphabet="0123456789abx.:[]%-_/*u \N{FULLWIDTH DIGIT ONE}\N{SOFT HYPHEN}", max_size=30
)


@given(st.one_of(st.text(), nearly, nearly.map("unix:".__add__)))
def test_any_text_is_an_address_with_one_canonical_form_or_refused(text: str) -> None:
    for parse in (parse_listen, parse_backend):
        try:
            address = parse(text)
        except ValueError as problem:
            message = str(problem)
        else:
            message = str(address)
            assert parse(message) == address
        assert message.isprintable()
