from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.companions.origin.refusals import Refusal
from tools.companions.origin.targets import Target, parse_target


@pytest.mark.parametrize(
    ("target", "names", "is_directory"),
    [
        (b"/", (), True),
        (b"/a", (b"a",), False),
        (b"/a/", (b"a",), True),
        (b"//a///b", (b"a", b"b"), False),
        (b"/a%20b/%c3%bc", (b"a b", b"\xc3\xbc"), False),
        (b"/a?b/../c", (b"a",), False),
        (b"/..a/b..", (b"..a", b"b.."), False),
        (b"http://host", (), True),
        (b"HTTP://host:80/a/b", (b"a", b"b"), False),
        (b"http://host?q", (), True),
    ],
)
def test_a_target_is_taken_apart(
    target: bytes, names: tuple[bytes, ...], is_directory: bool
) -> None:
    parsed = parse_target(target)
    assert (parsed.names, parsed.is_directory) == (names, is_directory)


@pytest.mark.parametrize("target", [b"/..", b"/a/../b", b"/%2e%2E/etc", b"/./a", b"http://h/.."])
def test_dot_segments_are_forbidden(target: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parse_target(target)
    assert caught.value.status == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(
    "target",
    [
        b"",
        b"*",
        b"a",
        b"host:80",
        b"ftp://h/a",
        b"/%",
        b"/%4",
        b"/%zz",
        b"/a%00",
        b"/%2fetc",
        b"/#",
    ],
)
def test_what_is_no_path_is_a_bad_request(target: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parse_target(target)
    assert caught.value.status == HTTPStatus.BAD_REQUEST


def test_a_redirect_stays_on_this_host() -> None:
    assert parse_target(b"//evil.example/%2e%2ex?y=1").as_directory() == "/evil.example/..x/?y=1"
    assert Target((b"a b", b"\xff"), is_directory=False).as_directory() == "/a%20b/%FF/"


@given(st.binary(max_size=50))
def test_no_target_leads_upwards(target: bytes) -> None:
    try:
        parsed = parse_target(b"/" + target)
    except Refusal:
        return
    assert not parsed.path.startswith(b"/")
    assert b"\0" not in parsed.path
    assert b".." not in parsed.path.split(b"/")
