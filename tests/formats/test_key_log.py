from spliceproxy.formats.key_log import KeyLog

ONE, OTHER = bytes(32), bytes(31) + b"\x01"


def line(random: bytes, label: str = "CLIENT_RANDOM", secret: str = "ab" * 48) -> bytes:
    return f"{label} {random.hex()} {secret}".encode()


def test_lines_by_session() -> None:
    first, second = line(ONE, "CLIENT_TRAFFIC_SECRET_0"), line(ONE, "SERVER_TRAFFIC_SECRET_0")
    log = KeyLog([b"# a comment\n", first + b"\n", line(OTHER), second + b"\r\n", first])
    assert len(log) == 2
    assert log.secrets_of(ONE) == first + b"\n" + second + b"\n"
    assert log.secrets_of(OTHER) == line(OTHER) + b"\n"
    assert log.secrets_of(b"?" * 32) == b""


def test_what_is_no_secret() -> None:
    others = [b"", b"RSA 0123 0123", line(ONE[:-1]), line(ONE, secret="x"), line(ONE, "lower")]
    assert not KeyLog([*others, line(ONE) + b" more", b"\xff" * 200])
