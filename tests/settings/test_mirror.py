"""Where copies can go, with which options, and what is told when it cannot be."""

import os
import shlex
from collections.abc import Callable
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.settings.address import Address, TcpAddress, UnixAddress
from spliceproxy.settings.mirror import MirrorSettings, parse_mirror
from spliceproxy.settings.mirror_kinds.capture import CaptureOptions
from spliceproxy.settings.mirror_kinds.exec import SHELL, ExecSettings
from spliceproxy.settings.mirror_kinds.file import FileOptions
from spliceproxy.settings.mirror_kinds.retention import KeepFree, Retention
from spliceproxy.settings.mirror_kinds.stream import DialOption, StreamOptions
from spliceproxy.settings.mirror_kinds.table import KINDS
from spliceproxy.settings.units import format_size

LOG_SINK = TcpAddress("127.0.0.1", 514)


@pytest.mark.parametrize(
    ("text", "target", "address"),
    [
        ("file:/var/log/audit", "/var/log/audit", None),
        ("file:///var/log/audit", "/var/log/audit", None),
        ("file:audit", "audit", None),
        ("file:/a%3Fb%20c%25d", "/a?b c%d", None),
        ("file:/100% sure+#1", "/100% sure+#1", None),
        ("tcp://127.0.0.1:514", "127.0.0.1:514", LOG_SINK),
        ("tcp://[::1]:80", "[::1]:80", TcpAddress("::1", 80)),
        ("tcp://[fe80::1%25eth0]:80", "[fe80::1%eth0]:80", TcpAddress("fe80::1%eth0", 80)),
        ("tcp://[fe80::1%eth0]:80", "[fe80::1%eth0]:80", TcpAddress("fe80::1%eth0", 80)),
        ("tcp://unix:80", "unix:80", TcpAddress("unix", 80)),
        ("unix:/run/a.sock", "/run/a.sock", UnixAddress("/run/a.sock")),
        ("unix:///run/a%3fb", "/run/a?b", UnixAddress("/run/a?b")),
        ("null:", "", None),
    ],
)
def test_places(text: str, target: str, address: Address | None) -> None:
    mirror = parse_mirror(text)
    assert (mirror.text, mirror.target, mirror.address) == (text, target, address)
    assert mirror.kind == text.partition(":")[0]
    assert mirror.command == ()


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("exec:cat", ("cat",)),
        ("exec:zstd -q -o 'an audit.zst'", ("zstd", "-q", "-o", "an audit.zst")),
        ("exec:date +%20s%3a", ("date", "+%20s%3a")),
        ("exec:/usr/bin/env A=b cat", ("/usr/bin/env", "A=b", "cat")),
        ("exec:grep -c '?'", ("grep", "-c", "?")),
        ("exec:curl 'http://h/?a=b'", ("curl", "http://h/?a=b")),
        ("exec:curl http://h/%3Fa=b", ("curl", "http://h/?a=b")),
        ("exec:curl http://h/?a=b c", ("curl", "http://h/?a=b", "c")),
        ("exec:ls ?", ("ls", "?")),
        ("exec:ls ?.log", ("ls", "?.log")),
        ("exec:cat | tee $HOME", ("cat", "|", "tee", "$HOME")),
        ("exec:?shell", ("?shell",)),
    ],
)
def test_commands(text: str, command: tuple[str, ...]) -> None:
    for options in ("", "?shell=no", "?direction=both&sample=50%"):
        mirror = parse_mirror(text + options)
        assert (mirror.text, mirror.kind, mirror.command) == (text, "exec", command)


@pytest.mark.parametrize("line", ["cat | tee $HOME", "cat # it's all", "exec 2>&1; cat"])
def test_a_shell_gets_the_command_as_it_is(line: str) -> None:
    mirror = parse_mirror(f"exec:{line}?shell=yes")
    assert mirror.command == ("/bin/sh", "-c", line)
    assert mirror.target == line


def test_defaults() -> None:
    assert parse_mirror("tcp://127.0.0.1:514") == MirrorSettings(
        text="tcp://127.0.0.1:514",
        kind="tcp",
        target="127.0.0.1:514",
        address=LOG_SINK,
        command=(),
        direction="request",
        sample=1.0,
        max_bytes=None,
        buffer_bytes=None,
        overflow="detach",
        spool_bytes=1 << 30,
        scope="connection",
    )


@pytest.mark.parametrize("text", ["file:d", "null:"])
def test_files_and_counters_take_both_directions(text: str) -> None:
    assert parse_mirror(text).direction == "both"


def test_how_long_files_are_kept() -> None:
    own = parse_mirror("file:d?max_age=30d&max_total=1GiB&keep_free=10%&trust_directory=yes").own
    assert own == FileOptions(Retention(30 * 86400, 1 << 30, KeepFree(fraction=0.1)), True)
    assert own.retention.is_limited
    assert own.retention.keep_free.of(1000) == 100
    assert parse_mirror("file:d?keep_free=5GiB").own.retention.keep_free.of(1000) == 5 << 30
    assert parse_mirror("file:d").own == FileOptions()
    assert not FileOptions().retention.is_limited


def test_every_option() -> None:
    options = "direction=response&sample=10%&max_bytes=1MiB&buffer=64KiB&overflow=spill&spool=2GiB"
    assert parse_mirror(f"unix:/s?{options}") == MirrorSettings(
        text="unix:/s",
        kind="unix",
        target="/s",
        address=UnixAddress("/s"),
        command=(),
        direction="response",
        sample=0.1,
        max_bytes=1 << 20,
        buffer_bytes=64 << 10,
        overflow="spill",
        spool_bytes=2 << 30,
    )
    assert parse_mirror("exec:cat?scope=route&overflow=block").scope == "route"
    filtered = parse_mirror(
        "null:?clients=10.0.0.0/8, 2001:db8::1&server_names=*.A.example,b.example"
    )
    assert filtered.clients == (IPv4Network("10.0.0.0/8"), IPv6Network("2001:db8::1"))
    assert filtered.server_names == ("*.a.example", "b.example")
    assert parse_mirror("null:?sample=10%25&").sample == 0.1


# What is wrong, and what the message must hold.
WRONG = [
    ("null:?clients=10.0.0.1/8", "clients='10.0.0.1/8' is an address within a network: expected"),
    ("null:?clients=", "clients='' is not a network"),
    ("null:?clients=10.0.0.0/8,,::1", "clients='' is not a network"),
    ("tcp://h:1?server_names=a..example", "server_names='a..example' is not a server name"),
    ("null:?server_names=" + ",".join("a" * 1001), "server_names=1001 entries: expected at most"),
    ("file:d?client=::1", "option 'client' is not known .did you mean 'clients'"),
    ("file:d?compress=zstd", "option 'compress' is not for file"),
    ("capture:d?compress=gzip", "compress='gzip' is not known: expected none or zstd"),
    ("", "empty: expected file:DIR"),
    (" ", "empty: expected file:DIR"),
    ("/var/log", "no scheme: expected file:DIR"),
    ("127.0.0.1:514", "scheme '127.0.0.1' .* expected file:DIR"),
    ("udp://h:1", "scheme 'udp' in 'udp://h:1' is not known: expected"),
    ("tpc://h:1", "did you mean 'tcp'"),
    ("TCP://h:1", "did you mean 'tcp'"),
    ("x" * 100_000 + ":", "not known: expected"),
    (":", "scheme ''"),
    ("file:", "path is empty"),
    ("file://", "no host: expected file:PATH"),
    ("file:?direction=both", "path is empty"),
    ("file://host/dir", "no host: expected file:PATH"),
    ("file:/a%00b", "not printable"),
    ("file:/a%FFb", "not printable"),
    ("file:/a\nb", "not printable"),
    ("file:/a?b", "%3F stands for"),
    ("unix:", "path is empty"),
    ("unix:/" + "p" * 107, "108 bytes"),
    ("tcp:h:1", "tcp://HOST:PORT"),
    ("tcp://", "tcp://HOST:PORT"),
    ("tcp://h:1/", "tcp://HOST:PORT"),
    ("tcp://h", "no port: expected HOST:PORT or"),
    ("tcp://80", "no port"),
    ("tcp://h:0", "1 to 65535"),
    ("tcp://::1:80", r"\[::1\]:80"),
    ("tcp://user@h:80", "not a host name"),
    ("tls:h:1", "expected tls://HOST:PORT"),
    ("tls://h", "no port: expected HOST:PORT or"),
    ("tls://h:1?verify=no", "verify='no' is not understood: expected true or false"),
    ("tls://h:1?verify=false&ca=/x", "ca has no effect with verify=false: expected it to be left"),
    ("tls://h:1?key=/x", "key has no effect with no certificate"),
    ("tls://h:1?ca=", "not the path of a file"),
    ("tls://h:1?name=a_b!", "not a host name"),
    ("tls://h:1?answers=capture:/x&direction=both", "answers are those to requests"),
    ("tcp://h:1?ca=/x", "option 'ca' is not for tcp"),
    ("null:x", "nothing stands behind"),
    ("exec:", "command is empty"),
    ("exec: ", "command is empty"),
    ("exec:''", "command is empty"),
    ("exec: ?shell=yes", "command is empty"),
    ("exec:'a", "no closing quotation"),
    ("exec:a\\", "no escaped character"),
    ("exec:a?smaple=10%", "did you mean 'sample'.* scope or shell .*%3F"),
    ("exec:curl http://h/?a=b", "option 'a' is not known.*%3F stands for"),
    ("exec:a?scope=worker", "scope='worker' .* connection or route"),
    ("exec:a?scope=route&overflow=spill", "not for scope=route"),
    ("exec:a?shell=true", "shell='true' .* yes or no"),
    ("tcp://h:1?smaple=10%", "did you mean 'sample'.* overflow, spool or answers$"),
    ("tcp://h:1?max-bytes=1MiB", "did you mean 'max_bytes'"),
    ("tcp://h:1?buffer_bytes=1MiB", "did you mean 'buffer'"),
    ("tcp://h:1?zzz", "option 'zzz' is not known: expected"),
    ("tcp://h:1?=1", "option '' is not known: expected"),
    ("tcp://h:1?" + "z" * 100_000, "is not known"),
    ("tcp://h:1?sample=1%&sample=1%", "'sample' is given twice"),
    ("tcp://h:1?scope=route", "'scope' is not for tcp: expected direction"),
    ("tcp://h:1?direction=up", "direction='up' .* request, response or both"),
    ("tcp://h:1?sample", "sample=''"),
    ("tcp://h:1?sample=101%", "out of range: expected 0% to 100%"),
    ("tcp://h:1?sample=-1%", "percentage such as"),
    ("tcp://h:1?sample=0.1", "not a percentage: expected one such as 10%"),
    ("tcp://h:1?max_bytes=0", "max_bytes='0' .* 1 byte or more"),
    ("tcp://h:1?buffer=64M", "buffer='64M' is ambiguous"),
    ("tcp://h:1?buffer=1%00B", "64KiB"),
    ("tcp://h:1?overflow=drop", "overflow='drop' .* detach, gap, spill or block"),
    ("tcp://h:1?overflow=gap", "overflow=gap is not for tcp: expected detach, spill or block"),
    ("file:d?overflow=spill", "overflow=spill is not for file: expected detach, gap or block"),
    ("null:?overflow=block", "overflow=block is not for null: expected detach$"),
    ("tcp://h:1?spool=1GiB", "overflow=spill with it"),
    ("file:d?spool=1GiB", "'spool' is not for file"),
    ("file:d?max_age=0", "max_age='0' is too short: expected a duration such as 30d"),
    ("file:d?max_age=30", "max_age='30' has no unit"),
    ("file:d?max_total=0", "max_total='0' .* 1 byte or more"),
    ("file:d?keep_free=0%", "keep_free='0%' is out of range: expected more than 0%"),
    ("file:d?keep_free=100%", "keep_free='100%' is out of range"),
    ("file:d?trust_directory=on", "trust_directory='on' .* yes or no"),
    ("tcp://h:1?max_age=1d", "'max_age' is not for tcp"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_is_wrong_is_said_in_one_printable_line(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        parse_mirror(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def _printable(text: str) -> bool:
    return text.isprintable() and len(os.fsencode(text)) <= 100


paths = st.text(min_size=1, max_size=40).filter(_printable)
words = st.text(max_size=20).filter(_printable)
addresses = st.builds(TcpAddress, st.ip_addresses().map(str), st.integers(1, 65535))
sizes = st.integers(1, 1 << 50)


def _escape_command(command: str) -> str:
    # What is not escaped may look like options, and a shell's word may hold "%3F" as it is.
    return command.replace("%3F", "%3''F").replace("%3f", "%3''f").replace("?", "%3F")


networks = st.one_of(
    st.builds(IPv4Network, st.ip_addresses(v=4)), st.builds(IPv6Network, st.ip_addresses(v=6))
)
names_of_servers = st.sampled_from(["a.example", "*.a.example", "b", "xn--bcher-kva.example"])


@st.composite
def mirrors(draw: st.DrawFn) -> tuple[str, MirrorSettings]:
    """Settings, and a text that stands for them."""
    kind = draw(st.sampled_from(list(KINDS)))
    address: Address | None = None
    command: tuple[str, ...] = ()
    shell = kind == "exec" and draw(st.booleans())
    if kind in {"tcp", "tls"}:
        address = draw(addresses)
        target, text = str(address), f"{kind}://{address}"
    elif kind == "exec":
        command = (draw(words.filter(bool)), *draw(st.lists(words, max_size=3)))
        text = "exec:" + _escape_command(shlex.join(command))
        target = text.removeprefix("exec:").replace("%3F", "?")
        command = (*SHELL, target) if shell else command
    elif kind == "null":
        target, text = "", "null:"
    else:
        target = draw(paths)
        # Both forms of an absolute path are the same, save that "//" would start a host.
        text = f"{kind}:{'//' if target.startswith('/') else ''}{quote(target)}"
        address = UnixAddress(target) if kind == "unix" else None
    options, fields = draw(_options(kind))
    if kind == "file":
        more, fields["own"] = draw(_file_options())
        options |= more
    if kind == "capture":
        more, fields["own"] = draw(_capture_options())
        options |= more
    if kind == "tls":
        more, fields["own"] = draw(_tls_options())
        options |= more
    if kind == "exec":
        options["shell"] = "yes" if shell else "no"
        fields["own"] = ExecSettings()
    whole = f"{text}?{urlencode(options, safe='%')}"
    return whole, MirrorSettings(text, kind, target, address, command, **fields)


@st.composite
def _options(draw: st.DrawFn, kind: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """Some of the options that a kind has, as texts and as fields."""
    overflow = draw(st.sampled_from(KINDS[kind].overflows))
    direction = draw(st.sampled_from(["request", "response", "both"]))
    percent = draw(st.decimals(0, 100, places=2))
    size = draw(sizes)
    clients = tuple(draw(st.lists(networks, min_size=1, max_size=3, unique=True)))
    server_names = tuple(draw(st.lists(names_of_servers, min_size=1, max_size=3, unique=True)))
    possible: dict[str, tuple[str, str, Any]] = {
        "direction": ("direction", direction, direction),
        "sample": ("sample", f"{percent}%", float(percent / Decimal(100))),
        "max_bytes": ("max_bytes", format_size(size), size),
        "buffer": ("buffer_bytes", format_size(size), size),
        "clients": ("clients", ",".join(map(str, clients)), clients),
        "server_names": ("server_names", ",".join(server_names), server_names),
    }
    if kind == "exec" and overflow != "spill":
        possible["scope"] = ("scope", "route", "route")
    if overflow == "spill":
        possible["spool"] = ("spool_bytes", format_size(size), size)
    names = draw(st.permutations(list(possible)))[: draw(st.integers(0, len(possible)))]
    options = {name: possible[name][1] for name in names} | {"overflow": overflow}
    fields = {possible[name][0]: possible[name][2] for name in names} | {"overflow": overflow}
    if overflow in ("block", "spill"):
        fields.setdefault("buffer_bytes", 8 << 20)
    return options, {"direction": KINDS[kind].direction} | fields


@st.composite
def _file_options(draw: st.DrawFn) -> tuple[dict[str, str], FileOptions]:
    age_s, size, free = draw(st.integers(1, 365 * 86400)), draw(sizes), draw(sizes)
    trusts = draw(st.booleans())
    possible = {"max_age": f"{age_s}s", "max_total": str(size), "keep_free": str(free)}
    names = draw(st.sets(st.sampled_from(list(possible))))
    retention = Retention(
        float(age_s) if "max_age" in names else None,
        size if "max_total" in names else None,
        KeepFree(free) if "keep_free" in names else None,
    )
    options = {name: possible[name] for name in names}
    return options | {"trust_directory": "yes" if trusts else "no"}, FileOptions(retention, trusts)


@st.composite
def _tls_options(draw: st.DrawFn) -> tuple[dict[str, str], StreamOptions]:
    path = draw(st.sampled_from(["/etc/ssl/a.pem", "b c.pem", "/d&e=f?g.pem"]))
    possible: list[tuple[str, Any, str]] = [
        ("ca", path, path),
        ("name", "db.example.org", "db.example.org"),
        ("certificate", path, path),
    ]
    if draw(st.booleans()):
        possible[0] = ("verify", draw(st.booleans()), "")
    chosen = [one for one in possible if draw(st.booleans())]
    dial = [DialOption(n, value, text or str(value).lower()) for n, value, text in chosen]
    options = {one.name: quote(one.written) for one in dial}
    return options, StreamOptions(tls=tuple(dial))


@st.composite
def _capture_options(draw: st.DrawFn) -> tuple[dict[str, str], CaptureOptions]:
    options, kept = draw(_file_options())
    size, age_s = draw(st.integers(1 << 20, 1 << 40)), draw(st.integers(1, 86400))
    options |= {"segment_bytes": str(size), "segment_age": f"{age_s}s"}
    return options, CaptureOptions(size, float(age_s), kept.retention, kept.trust_directory)


@given(mirrors())
def test_what_stands_for_a_mirror_is_read_as_it(written: tuple[str, MirrorSettings]) -> None:
    text, mirror = written
    assert parse_mirror(text) == mirror


nearly: list[Callable[[str], str]] = [
    prefix.__add__
    for prefix in (
        "file:",
        "tcp://",
        "tcp://[",
        "tcp://h:1?",
        "tls://h:1?ca=",
        "unix:",
        "exec:",
        "exec:a?",
        "null:?",
    )
]
pieces = st.sampled_from(
    [*"?&=%:/[]'\"\\ +#;", "%3F", "%00", "%FF", "sample=", "10%", "scope=route", "shell=yes", "a"]
)
rest = st.one_of(st.text(max_size=40), st.lists(pieces, max_size=12).map("".join))


@given(st.one_of(st.text(), st.builds(lambda add, text: add(text), st.sampled_from(nearly), rest)))
def test_any_text_is_a_mirror_or_refused_in_one_line(text: str) -> None:
    try:
        mirror = parse_mirror(text)
    except ValueError as problem:
        message = str(problem)
    else:
        message = mirror.target
        assert text.startswith(mirror.text)
        assert (mirror.kind == "exec") == bool(mirror.command)
        assert (mirror.kind in {"tcp", "tls", "unix"}) == (mirror.address is not None)
    assert message.isprintable()
    assert len(message) < 300
