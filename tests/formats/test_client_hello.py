import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.formats.client_hello import (
    MAX_BYTES,
    ClientHello,
    ClientHelloError,
    NotTlsError,
    parse_client_hello,
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

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


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
    assert parse_client_hello(hello) == expected
    assert name_seen_by_a_server(hello) == name


def test_cut_at_every_length() -> None:
    for length in range(len(HELLO)):
        answer = parse_client_hello(HELLO[:length])
        assert isinstance(answer, NeedMore)
        assert length < answer.length <= len(HELLO)
    assert parse_client_hello(HELLO[:5]) == NeedMore(9)
    assert parse_client_hello(HELLO[:9]) == NeedMore(len(HELLO))


def test_what_follows_does_not_matter() -> None:
    assert parse_client_hello(HELLO + b"\x14\x03\x03\x00\x01\x01") == EXPECTED


def test_what_follows_in_the_same_record_does_not_matter_either() -> None:
    assert parse_client_hello(record(HELLO[5:] + b"\x0b\x00\x00\x00")) == EXPECTED


@given(sizes=st.lists(st.integers(1, 100), max_size=60), data=st.data())
def test_in_several_records_cut_anywhere(sizes: list[int], data: st.DataObject) -> None:
    records = in_records(HELLO, sizes)
    assert parse_client_hello(records) == EXPECTED
    length = data.draw(st.integers(0, len(records) - 1))
    answer = parse_client_hello(records[:length])
    assert isinstance(answer, NeedMore)
    assert length < answer.length <= len(records)


@given(sizes=st.lists(st.integers(1, 100), max_size=10))
def test_waiting_for_what_is_needed_takes_few_looks(sizes: list[int]) -> None:
    records = in_records(HELLO, sizes)
    looks, have = 1, 1
    while isinstance(answer := parse_client_hello(records[:have]), NeedMore):
        have = answer.length
        looks += 1
    assert answer == EXPECTED
    assert looks <= 3 + 2 * (len(sizes) + 1)


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
    assert parse_client_hello(hello) == expected


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
        parse_client_hello(hello)
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
        parse_client_hello(data)


def test_a_large_hello() -> None:
    overhead = len(made_hello((21, b"")))
    largest = made_hello((21, bytes(MAX_BYTES - overhead)))
    assert len(largest) == MAX_BYTES
    assert parse_client_hello(largest) == ClientHello()
    assert parse_client_hello(largest[:9]) == NeedMore(MAX_BYTES)
    with pytest.raises(ClientHelloError, match="more than 16384 bytes"):
        parse_client_hello(made_hello((21, bytes(MAX_BYTES - overhead + 1)))[:9])


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
        answer = parse_client_hello(data)
    except ClientHelloError as error:
        reason = str(error)
    else:
        reason = "read"
        if isinstance(answer, NeedMore):
            assert len(data) < answer.length <= MAX_BYTES
    assert reason
    assert reason.isprintable()


def test_the_most_laborious_hello_takes_little_time() -> None:
    data = in_records(made_hello((21, bytes(15_000))), [1] * 63)[:-1]
    start_s = time.process_time()
    for _ in range(100):
        assert isinstance(parse_client_hello(data), NeedMore)
    assert (time.process_time() - start_s) / 100 < 0.002
