"""A root with a few files, and the check that a test leaves no descriptor open."""

from pathlib import Path

import pytest

from tests.descriptors import no_descriptor_is_left_open

__all__ = ["no_descriptor_is_left_open"]

TEXT = b"0123456789" * 10


@pytest.fixture
def root(tmp_path: Path) -> Path:
    directory = tmp_path / "root"
    (directory / "sub").mkdir(parents=True)
    (directory / "site").mkdir()
    (directory / "text.txt").write_bytes(TEXT)
    (directory / "empty").touch()
    (directory / "site" / "index.html").write_bytes(b"<p>index")
    (directory / "sub" / "a b&c.txt").write_bytes(b"odd name")
    (tmp_path / "secret").write_bytes(b"secret")
    (directory / "out").symlink_to("../secret")
    return directory
