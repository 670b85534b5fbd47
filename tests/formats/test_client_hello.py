import itertools
from collections.abc import Iterable
from typing import SupportsIndex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.formats import client_hello
from spliceproxy.formats.client_hello import (
    MAX_BYTES,
    MAX_EXTENSIONS,
    MAX_PROTOCOLS,
    MAX_RECORDS,
    ClientHello,
    ClientHelloError,
    ClientHelloParser,
    NotTlsError,
)
from spliceproxy.formats.need_more import NeedMore
from tests.formats.hellos import (
    alpn,
    hello_of,
    in_records,
    made_hello,
    name_seen_by_a_server,
    real_hello,
    record,
    sni,
)

HELLO = real_hello("www.example.org", ("h2", "http/1.1"))
EXPECTED = ClientHello("www.example.org", (b"h2", b"http/1.1"))


def parse(data: bytes) -> ClientHello | NeedMore:
    """What is made of bytes that came all at once."""
    return ClientHelloParser().read(data)


def outcome(beginnings: Iterable[bytes]) -> ClientHello | NeedMore | str:
    """What is made of bytes that come bit by bit, each time with what came before."""
    parser = ClientHelloParser()
    answer: ClientHello | NeedMore = NeedMore(1)
    for data in beginnings:
        try:
            answer = parser.read(data)
        except ClientHelloError as error:
            return f"{type(error).__name__}: {error}"
        if isinstance(answer, ClientHello):
            break
    return answer


labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@pytest.mark.slow
@given(
    name=st.none()
    | st.lists(labels, min_size=2, max_size=4).map(lambda each: ".".join([*each, "org"])),
    protocols=st.lists(st.text("abc/123", min_size=1, max_size=20), max_size=4).map(tuple),
)
def test_a_real_client(name: str | None, protocols: tuple[str, ...]) -> None:
    if name is not None and "xn--" in name:
        return  # the client would refuse to encode it
    hello = real_hello(name, protocols)
    expected = ClientHello(name, tuple(protocol.encode() for protocol in protocols))
    assert parse(hello) == expected
    assert name_seen_by_a_server(hello) == name


def test_cut_at_every_length() -> None:
    for length in range(len(HELLO)):
        answer = parse(HELLO[:length])
        assert isinstance(answer, NeedMore)
        assert length < answer.length <= len(HELLO)
    assert parse(HELLO[:5]) == NeedMore(9)
    assert parse(HELLO[:9]) == NeedMore(len(HELLO))


def test_what_follows_does_not_matter() -> None:
    assert parse(HELLO + b"\x14\x03\x03\x00\x01\x01") == EXPECTED


def test_what_follows_in_the_same_record_does_not_matter_either() -> None:
    assert parse(record(HELLO[5:] + b"\x0b\x00\x00\x00")) == EXPECTED


@given(sizes=st.lists(st.integers(1, 100), max_size=60), data=st.data())
def test_in_several_records_cut_anywhere(sizes: list[int], data: st.DataObject) -> None:
    records = in_records(HELLO, sizes)
    assert parse(records) == EXPECTED
    length = data.draw(st.integers(0, len(records) - 1))
    answer = parse(records[:length])
    assert isinstance(answer, NeedMore)
    assert length < answer.length <= len(records)


@given(sizes=st.lists(st.integers(1, 100), max_size=10))
def test_waiting_for_what_is_needed_takes_few_looks(sizes: list[int]) -> None:
    records = in_records(HELLO, sizes)
    looks, have = 1, 1
    while isinstance(answer := parse(records[:have]), NeedMore):
        have = answer.length
        looks += 1
    assert answer == EXPECTED
    assert looks <= 4 + len(sizes)


@pytest.mark.parametrize(
    ("hello", "expected"),
    [
        (hello_of(b""), ClientHello()),  # TLS 1.0 without extensions
        (made_hello(), ClientHello()),
        (made_hello((0x0A0A, b""), sni(b"a.org"), (21, bytes(700))), ClientHello("a.org")),
        (made_hello(alpn(b"h2", b"\x0a\x0a")), ClientHello(None, (b"h2", b"\x0a\x0a"))),
        (made_hello(sni(b"A.org.")), ClientHello("A.org.")),
    ],
)
def test_made_hellos(hello: bytes, expected: ClientHello) -> None:
    assert parse(hello) == expected


@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        (made_hello(sni(b"a.org"), sni(b"b.org")), "extension 0 twice"),
        (made_hello(sni(b"a.org", b"b.org")), "belong to nothing"),
        (made_hello(sni(b"a.org", kind=1)), "unknown kind"),
        (made_hello(sni()), "past its end"),
        (made_hello(sni(b"")), "server name that is empty"),
        (made_hello(sni(b"a" * 256)), "too long"),
        (made_hello(sni(b"a\n.org")), "not printable"),
        (made_hello(sni("ü.org".encode())), "not printable"),
        (made_hello((0, b"\x00\x03\x00\x00\x09a")), "past its end"),
        (made_hello((0, sni(b"a.org")[1] + b"x")), "belong to nothing"),
        (made_hello((0, b"")), "past its end"),
        (made_hello(alpn()), "empty list of protocols"),
        (made_hello(alpn(b"")), "protocol without a name"),
        (made_hello((16, b"\x00\x03\x09h2")), "past its end"),
        (made_hello((16, alpn(b"h2")[1] + b"x")), "belong to nothing"),
        (hello_of(b"\x00\x00x"), "belong to nothing"),
        (hello_of(b"\x00\x05\x00\x00"), "past its end"),
        (hello_of(b"\x00"), "past its end"),
        (record(b"\x01\x00\x00\x02\x03\x03"), "past its end"),
        (record(b"\x02\x00\x00\x02\x03\x03"), "message 2 instead"),
        (record(b"\x01\x00\x3f\xff"), "more than 16384 bytes"),
        (record(b"\x01\xff\xff\xff"), "more than 16384 bytes"),
        (in_records(HELLO, [100])[:105] + b"\x17\x03\x03\x00\x05", "not a TLS handshake"),
        (in_records(HELLO, [100])[:105] + b"\x16\x03\x03\x00\x00", "record of 0 bytes"),
        (in_records(HELLO, [1] * 64), "64 records"),
    ],
)
def test_malformed_hellos(hello: bytes, reason: str) -> None:
    with pytest.raises(ClientHelloError, match=reason) as caught:
        parse(hello)
    assert not isinstance(caught.value, NotTlsError)


@pytest.mark.parametrize(
    "data",
    [
        b"G",
        b"GET / HTTP/1.1\r\n",
        b"\x16\x02",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x40\x01",
        b"\x15\x03\x01\x00\x02\x02\x28",  # an alert
        b"\x80\x2e\x01\x03\x01",  # a hello of SSL 2
        b"\x00\x00\x00\x08\x04\xd2\x16\x2f",  # PostgreSQL asking whether there is TLS
    ],
)
def test_what_is_not_tls(data: bytes) -> None:
    with pytest.raises(NotTlsError):
        parse(data)


def test_a_large_hello() -> None:
    overhead = len(made_hello((21, b"")))
    largest = made_hello((21, bytes(MAX_BYTES - overhead)))
    assert len(largest) == MAX_BYTES
    assert parse(largest) == ClientHello()
    assert parse(largest[:9]) == NeedMore(MAX_BYTES)
    with pytest.raises(ClientHelloError, match="more than 16384 bytes"):
        parse(made_hello((21, bytes(MAX_BYTES - overhead + 1)))[:9])


@given(
    data=st.binary(max_size=100)
    | st.binary(max_size=100).map(lambda each: b"\x16\x03\x01" + each)
    | st.binary(max_size=100).map(record)
    | st.binary(max_size=100).map(hello_of)
    | st.lists(st.tuples(st.sampled_from([0, 16, 21]), st.binary(max_size=30))).map(
        lambda each: made_hello(*each)
    )
)
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    _check(data)


@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(HELLO)), st.integers(0, 3), st.binary(max_size=3)),
        min_size=1,
        max_size=4,
    ),
    sizes=st.lists(st.integers(1, 200), max_size=5),
)
def test_a_damaged_hello(changes: list[tuple[int, int, bytes]], sizes: list[int]) -> None:
    damaged = bytearray(in_records(HELLO, sizes))
    for at, dropped, inserted in changes:
        damaged[at : at + dropped] = inserted
    _check(bytes(damaged))


def _check(data: bytes) -> None:
    try:
        answer = parse(data)
    except ClientHelloError as error:
        reason = str(error)
    else:
        reason = "read"
        if isinstance(answer, NeedMore):
            assert len(data) < answer.length <= MAX_BYTES
    assert reason
    assert reason.isprintable()


@st.composite
def beginnings(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The same bytes as they come in: cut anywhere, each with what came before it."""
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=20))
    return [data[:cut] for cut in [*sorted(cuts), len(data)]]


sound = st.lists(st.integers(1, 100), max_size=60).map(lambda sizes: in_records(HELLO, sizes))
made = st.lists(
    st.sampled_from(
        [sni(b"a.org"), alpn(b"h2", b"x"), alpn(b""), (0, b""), (21, bytes(90)), (9, b"")]
    )
).map(lambda each: made_hello(*each))
strange = st.binary(max_size=20).map(lambda each: HELLO[:30] + each) | st.binary(max_size=20)


@given(hello=sound | made | strange, data=st.data())
def test_pieces_make_what_the_whole_makes(hello: bytes, data: st.DataObject) -> None:
    assert outcome(data.draw(beginnings(hello))) == outcome([hello])


@given(hello=sound | made | strange)
def test_a_byte_at_a_time_makes_what_the_whole_makes(hello: bytes) -> None:
    assert outcome(hello[:length] for length in range(len(hello) + 1)) == outcome([hello])


class Watched(bytes):
    """Bytes that count how many of them are taken out."""

    taken = 0

    def __getitem__(self, at: SupportsIndex | slice) -> bytes:  # type: ignore[override]
        assert isinstance(at, slice)
        piece = super().__getitem__(at)
        Watched.taken += len(piece)
        return piece


@pytest.mark.parametrize("size", [1, 60, 16_384])
def test_each_byte_is_looked_at_once(size: int) -> None:
    hello = in_records(made_hello((21, bytes(15_000))), [240] * 62)
    Watched.taken = 0
    parser = ClientHelloParser()
    for length in [*range(0, len(hello), size), len(hello)]:
        answer = parser.read(Watched(hello[:length]))
    assert answer == ClientHello()
    # The head of a record is looked at each time until it is complete.
    assert Watched.taken <= len(hello) + 63 * (1 + 2 + 3 + 4)


def test_records_that_come_one_by_one_are_not_asked_for_one_by_one() -> None:
    hello = in_records(made_hello((21, bytes(15_000))), [240] * 62)
    looks, have = 1, 1
    parser = ClientHelloParser()
    while isinstance(answer := parser.read(hello[:have]), NeedMore):
        have, looks = answer.length, looks + 1
    assert answer == ClientHello()
    assert looks <= 7


def fields_taken(hello: bytes, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many fields are read until the hello is understood, or refused."""
    reader = client_hello._Reader
    taken = itertools.count()

    def take(self: client_hello._Reader, length: int, field: str) -> bytes:
        next(taken)
        return original(self, length, field)

    original = reader.take
    monkeypatch.setattr(reader, "take", take)
    outcome([hello])
    monkeypatch.undo()
    return next(taken)


def test_no_more_is_read_than_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    known = sni(b"a.org"), alpn(b"h2")
    few = fields_taken(made_hello(*known), monkeypatch)
    others = [(100 + number, b"") for number in range(60)]
    assert fields_taken(made_hello(*known, *others), monkeypatch) == few
    most = fields_taken(made_hello(*others[:MAX_EXTENSIONS]), monkeypatch)
    thousands = [(100 + number, b"") for number in range(4000)]
    assert fields_taken(made_hello(*thousands), monkeypatch) <= most + 3 * (MAX_EXTENSIONS - 60)
    protocols = [b"a"] * 8000
    assert fields_taken(made_hello(alpn(*protocols)), monkeypatch) <= few + 2 * MAX_PROTOCOLS


def test_what_comes_after_name_and_protocol_does_not_matter() -> None:
    known = sni(b"a.org"), alpn(b"h2")
    assert parse(made_hello(*known, sni(b"b.org"))) == ClientHello("a.org", (b"h2",))


def test_as_many_as_are_allowed() -> None:
    extensions = [(100 + number, b"") for number in range(MAX_EXTENSIONS - 1)]
    assert parse(made_hello(*extensions, sni(b"a.org"))) == ClientHello("a.org")
    protocols = (b"h2",) * MAX_PROTOCOLS
    assert parse(made_hello(alpn(*protocols))) == ClientHello(None, protocols)
    assert parse(in_records(HELLO, [1] * (MAX_RECORDS - 1))) == EXPECTED


@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        (made_hello(*[(100 + n, b"") for n in range(65)]), "extensions: more than 64"),
        (made_hello(*[(100 + n, b"") for n in range(4000)]), "extensions: more than 64"),
        (made_hello(alpn(*[b"h2"] * 33)), "alpn: more than 32 protocols"),
        (in_records(HELLO, [1] * 64), "a hello in more than 64 records"),
        (record(b"\x01\x00\x3f\xff"), "a hello of more than 16384 bytes"),
        (hello_of(b"\x00\x09"), "extensions: a length of 9 "),
        (made_hello((0, b"\x00\x03\x00\x00\x09a")), "server_name: a length of 9 "),
        (made_hello((16, b"\x00\x03\x09h2")), "alpn: a length of 9 "),
        (hello_of(b"\x00\x04\x00\x0a\x00\x05"), "extension 10: a length of 5 "),
        (hello_of(b"\x00\x04\xfe\xed\x00\x05"), "extension 65261: a length of 5 "),
        (record(b"\x01\x00\x00\x03\x03\x03x"), "random: a length of 32 "),
        (record(b"\x01\x00\x00\x23\x03\x03" + bytes(32) + b"\x09"), "session_id: a length of 9 "),
    ],
)
def test_what_was_wrong_is_named(hello: bytes, reason: str) -> None:
    with pytest.raises(ClientHelloError, match=f"^{reason}"):
        parse(hello)
