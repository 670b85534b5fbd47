"""Which connections a mirror's filters let through."""

import pytest

from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.sinks.mirror_filter import make_filter


@pytest.mark.parametrize(
    ("options", "host", "server_name", "is_in"),
    [
        ("clients=10.0.0.0/8", "10.1.2.3", None, True),
        ("clients=10.0.0.0/8", "11.1.2.3", None, False),
        ("clients=10.0.0.0/8,2001:db8::/32", "2001:db8::7%eth0", None, True),
        ("clients=10.0.0.0/8", "::ffff:10.1.2.3", None, True),
        ("clients=::/0", "10.1.2.3", None, False),
        ("clients=10.0.0.0/8", "unix", None, False),
        ("clients=10.0.0.0/8", "", "a.example", False),
        ("server_names=*.a.example,b.example", "10.1.2.3", "x.y.A.example", True),
        ("server_names=*.a.example,b.example", "", "B.example.", True),
        ("server_names=*.a.example,b.example", "10.1.2.3", "a.example", False),
        ("server_names=*.a.example", "10.1.2.3", None, False),
        ("server_names=b.example&clients=10.0.0.0/8", "10.1.2.3", "b.example", True),
        ("server_names=b.example&clients=10.0.0.0/8", "10.1.2.3", "c.example", False),
        ("server_names=b.example&clients=10.0.0.0/8", "11.1.2.3", "b.example", False),
    ],
)
def test_all_that_is_asked_for_has_to_hold(
    options: str, host: str, server_name: str | None, is_in: bool
) -> None:
    wanted = make_filter(parse_mirror(f"null:?{options}"))
    assert wanted is not None
    assert wanted.admits(host, server_name) == is_in


def test_a_mirror_for_all_has_none() -> None:
    assert make_filter(parse_mirror("null:?sample=10%")) is None
