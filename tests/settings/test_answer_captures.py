"""Where answers of mirrors can be recorded, and where not."""

import pytest

from spliceproxy.settings.address import parse_backend
from spliceproxy.settings.answer_captures import find_lost_answers
from spliceproxy.settings.attach_grants import DEFAULT_GRANTS, why_not_granted
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.listen_address import parse_listen
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.settings.mirror_entry import read_mirror, write_mirror
from spliceproxy.settings.proxy import RouteSettings

SHADOW = "tcp://shadow:1?answers=capture:/a/b"


def route(*mirrors: str, name: str = "a") -> RouteSettings:
    return RouteSettings(
        name=name,
        listen=(ListenSettings(address=parse_listen("80")),),
        backends=(BackendSettings(address=parse_backend("b:80")),),
        mirrors=tuple(map(parse_mirror, mirrors)),
    )


@pytest.mark.parametrize(
    "mirrors",
    [
        (SHADOW, "capture:/a/b"),
        ("capture:/a/b/?overflow=gap&sample=10%", SHADOW),
        ("capture:/c", "capture:/a/./b", SHADOW, "unix:/s?answers=capture:///a/b"),
        ("tcp://shadow:1",),
    ],
)
def test_a_capture_of_the_same_route_has_them(mirrors: tuple[str, ...]) -> None:
    assert list(find_lost_answers([route(*mirrors)])) == []


@pytest.mark.parametrize(
    ("mirrors", "message"),
    [
        ((SHADOW,), "expected one, and the route has none"),
        ((SHADOW, "file:/a/b"), "expected one, and the route has none"),
        ((SHADOW, "capture:/c", "capture:/d"), "expected that of 'capture:/c' or 'capture:/d'"),
        ((SHADOW, "capture:/a/b?direction=request"), "expected direction=both of the capture"),
        ((SHADOW, "capture:/a/b?overflow=block"), "expected a capture of its own"),
    ],
)
def test_elsewhere_they_would_be_lost(mirrors: tuple[str, ...], message: str) -> None:
    other = route("capture:/a/b", name="other")
    [(number, path, what)] = find_lost_answers([other, route(*mirrors)])
    assert (number, path) == (1, ("mirrors", 0, "answers"))
    assert what.startswith("'tcp://shadow:1': answers ")
    assert message in what


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tcp://a:1?answers=/a", "'/a' is no capture: expected capture:DIR"),
        ("tcp://a:1?answers=capture:", "the path is empty"),
        ("tcp://a:1?answers=capture:/a&direction=both", "expected direction=request"),
        ("file:/a?answers=capture:/b", "option 'answers' is not for file"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="answers") as problem:
        parse_mirror(text)
    assert message in str(problem.value)


def test_it_is_shown_as_it_is_read() -> None:
    mirror = parse_mirror(SHADOW)
    written = write_mirror(mirror)
    assert isinstance(written, dict)
    assert written["answers"] == "capture:/a/b"
    assert read_mirror(written) == mirror


def test_operators_may_not_write_into_captures_of_the_configuration() -> None:
    assert why_not_granted(parse_mirror("tcp://shadow:1"), DEFAULT_GRANTS) is None
    why = why_not_granted(parse_mirror(SHADOW), DEFAULT_GRANTS)
    assert why is not None
    assert why.startswith("answers is for mirrors of the configuration alone")
