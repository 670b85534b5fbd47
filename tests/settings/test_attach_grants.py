"""Which mirrors a configuration lets operators attach."""

from pathlib import Path

import pytest

from spliceproxy.settings.attach_grants import (
    DEFAULT_GRANTS,
    AttachGrant,
    parse_grant,
    why_not_granted,
)
from spliceproxy.settings.mirror import parse_mirror


@pytest.mark.parametrize(
    ("mirror", "lacking"),
    [
        ("tcp://127.0.0.1:9", None),
        ("unix:/tmp/x", None),
        ("null:", None),
        ("exec:id>/tmp/x?shell=yes", "add exec to `attach` of `admin`"),
        ("file:/var/lib/x", "add file:/var/lib/x to `attach` of `admin`"),
    ],
)
def test_without_a_word_neither_files_nor_commands_are_granted(
    mirror: str, lacking: str | None
) -> None:
    why = why_not_granted(parse_mirror(mirror), DEFAULT_GRANTS)
    assert (why is None) if lacking is None else (why is not None and lacking in why)


def test_what_is_listed_is_granted_and_nothing_else() -> None:
    grants = [parse_grant(text) for text in ("exec", "file:/srv/looks")]
    assert why_not_granted(parse_mirror("exec:cat"), grants) is None
    for directory in ("/srv/looks", "/srv/looks/a/b", "/srv/looks/a/../b", "/srv//looks/x/"):
        assert why_not_granted(parse_mirror(f"file:{directory}"), grants) is None, directory
    for directory in ("/srv/looks2", "/srv", "/srv/looks/../x", "/srv/looks/a/../../x", "looks"):
        assert why_not_granted(parse_mirror(f"file:{directory}"), grants), directory
    for mirror in ("tcp://h:1", "unix:/srv/looks/x", "null:"):
        assert why_not_granted(parse_mirror(mirror), grants), mirror


def test_mirrors_by_tls_cannot_be_attached() -> None:
    """Whatever is granted: a worker can't read the files of certificates."""
    grants = [*DEFAULT_GRANTS, AttachGrant("tls")]
    why = why_not_granted(parse_mirror("tls://h:1"), grants)
    assert why == "tls: cannot be attached: add the mirror to the configuration, and reload"
    with pytest.raises(ValueError, match="'tls' is nothing to attach: expected file:/DIRECTORY"):
        parse_grant("tls")


def test_a_granted_directory_is_the_one_that_its_links_lead_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    grant = parse_grant(f"file:{tmp_path}/link").resolved()
    assert grant.covers(parse_mirror(f"file:{tmp_path}/real/x"))
    assert str(grant) == f"file:{tmp_path}/real"


@pytest.mark.parametrize(
    "text", ["", "file", "file:", "file:looks", "exec:ls", "http", "file:/a\n"]
)
def test_what_is_no_grant(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"expected file:/DIRECTORY, tcp, unix, exec or null|expected file:/DIR"
    ):
        parse_grant(text)
