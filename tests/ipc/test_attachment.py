"""What may be asked to be attached, and what workers are told of it."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.ipc.attachment import Attachment, parse_attach_request
from spliceproxy.kernel.addresses import SocketAddress


def test_all_that_can_be_asked() -> None:
    request = parse_attach_request(
        {
            "route": "main",
            "to": "tcp://127.0.0.1:9?overflow=spill&max_bytes=1",
            "client": "10.1.2.3/8",
            "for": "10m",
            "bytes": "100MiB",
        }
    )
    assert request.client == "10.0.0.0/8"
    assert request.duration_s == 600
    assert request.mirror.max_bytes == 100 << 20
    assert request.mirror.overflow == "spill"


@pytest.mark.parametrize(
    ("given_texts", "complaint"),
    [
        ({"route": "r"}, "to: expected a mirror"),
        ({"route": "r", "to": "x" * 5000}, "at most 4096"),
        ({"to": "null:"}, "expected a route, or the number of a connection"),
        ({"route": "r", "to": "null:", "number": "1"}, "'number' is not known"),
        ({"route": 1, "to": "null:"}, "route: expected a text"),
        ({"route": "r", "to": "exec:cat?scope=route"}, "expected scope=connection"),
        ({"route": "r", "to": "null:", "for": "0"}, "longer than 0"),
        ({"route": "r", "to": "null:", "bytes": "0"}, "bytes: '0' is too small"),
        ({"to": "null:", "connection": "17"}, "like 0-17"),
        ({"to": "null:", "connection": "0-17", "client": "::1"}, "not both"),
    ],
)
def test_what_is_refused(given_texts: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_attach_request(given_texts)


@given(
    st.dictionaries(
        st.sampled_from(["route", "to", "client", "connection", "for", "bytes"]),
        st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text())),
    )
)
def test_whatever_is_asked_is_understood_or_refused(asked: dict[str, object]) -> None:
    with suppress(ValueError):
        request = parse_attach_request(asked)
        assert request.route or request.connection


@pytest.mark.parametrize(
    "targets",
    [
        (),
        (SocketAddress(2, ("127.0.0.1", 9), "127.0.0.1:9"),),
        (SocketAddress(10, ("::1", 9, 0, 0), "[::1]:9"), SocketAddress(1, "/x", "unix:/x")),
    ],
)
def test_workers_read_what_they_are_told(targets: tuple[SocketAddress, ...]) -> None:
    asked = {"to": "file:/x?overflow=gap", "bytes": "5", "connection": "0-1", "for": "1s"}
    told = parse_attach_request(asked).attachment(3, "main", targets, "me", now_s=0.5)
    read = Attachment.from_message(json.loads(json.dumps(told.as_message())))
    assert read == told
    assert read.name == "file:/x@3"
    assert (read.mirror.target, read.mirror.max_bytes) == ("/x", 5)
    assert read.left_s(1.0) == 0.5
    assert read.left_s(2.0) == 0.0
