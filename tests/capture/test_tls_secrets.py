"""Captured ciphertext, decrypted by Wireshark with secrets that stand in the file."""

import ssl
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

import spliceproxy.capture
from spliceproxy.capture.client_random import ClientRandomSearch
from tests.capture.recorded import Recorded
from tests.capture.test_packets import tshark
from tests.capture.tls_sessions import TlsSession, make_certificate

REQUEST = b"GET /secret HTTP/1.1\r\nHost: localhost\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SSL_REQUEST = struct.pack("!II", 8, 80877103)


@pytest.fixture
def certificate(program: Callable[[str], str], tmp_path: Path) -> Path:
    program("tshark")
    return make_certificate(program("openssl"), tmp_path)


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    (tmp_path / "capture").mkdir()
    return Recorded(tmp_path / "capture")


def record(recorded: Recorded, number: int, session: TlsSession, before: bytes = b"") -> None:
    recorded.open(number, client=f"192.0.2.1:{40000 + number}", backend="192.0.2.2:443")
    offsets = {"request": 0, "response": 0}
    pieces = [("request", before), *session.talk(REQUEST, RESPONSE)]
    for at_ms, (direction, data) in enumerate(filter(lambda each: each[1], pieces), 1):
        recorded.data(number, data, at_ms, direction=direction, offset=offsets[direction])
        offsets[direction] += len(data)


def convert(recorded: Recorded, tmp_path: Path, key_log: spliceproxy.capture.KeyLog | None) -> Path:
    recorded.seal()
    capture = spliceproxy.capture.open(tmp_path / "capture")
    path = tmp_path / "out.pcapng"
    path.write_bytes(b"".join(spliceproxy.capture.to_pcapng(capture.events(), key_log)))
    return path


def read(path: Path) -> spliceproxy.capture.KeyLog:
    return spliceproxy.capture.KeyLog(path.read_bytes().splitlines())


def requests(path: Path) -> list[str]:
    return tshark(path, "-Y", "http.request", "-T", "fields", "-e", "http.request.uri").split()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_wireshark_decrypts_it(
    certificate: Path, recorded: Recorded, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    for number in (1, 2):
        record(recorded, number, TlsSession(certificate, tmp_path / "keys", version))
    path = convert(recorded, tmp_path, read(tmp_path / "keys"))
    assert requests(path) == ["/secret"] * 2
    assert requests(convert(recorded, tmp_path, None)) == []


def test_secrets_of_others_stay_out(certificate: Path, recorded: Recorded, tmp_path: Path) -> None:
    keys, others = tmp_path / "keys", tmp_path / "others"
    record(recorded, 1, TlsSession(certificate, keys, ssl.TLSVersion.TLSv1_3))
    list(TlsSession(certificate, others, ssl.TLSVersion.TLSv1_3).talk(REQUEST, RESPONSE))
    known, wanted = others.read_bytes() + keys.read_bytes(), keys.read_bytes()
    keys.write_bytes(known)
    written = convert(recorded, tmp_path, read(keys)).read_bytes()
    lines = [line for line in known.splitlines() if not line.startswith(b"#")]
    assert [line for line in lines if line in written] == [
        line for line in wanted.splitlines() if not line.startswith(b"#")
    ]


def test_a_hello_behind_a_request_for_tls(
    certificate: Path, recorded: Recorded, tmp_path: Path
) -> None:
    session = TlsSession(certificate, tmp_path / "keys", ssl.TLSVersion.TLSv1_3)
    record(recorded, 1, session, SSL_REQUEST)
    path = convert(recorded, tmp_path, read(tmp_path / "keys"))
    assert b"CLIENT_TRAFFIC_SECRET_0" in path.read_bytes()


def test_where_the_number_is_found() -> None:
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(32))
    whole = ClientRandomSearch()
    assert whole.feed(0, hello) == bytes(range(32))
    assert whole.feed(len(hello), hello) is None
    bytewise = ClientRandomSearch()
    found = [bytewise.feed(at, hello[at : at + 1]) for at in range(len(hello))]
    assert found[-1] == bytes(range(32))
    assert not any(found[:-1])
    gap = ClientRandomSearch()
    assert [gap.feed(0, hello[:9]), gap.feed(10, hello), gap.feed(9, hello)] == [None] * 3
    late = ClientRandomSearch()
    assert late.feed(0, bytes(8192)) is None
    assert late.feed(8192, hello) is None
