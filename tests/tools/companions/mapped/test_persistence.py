"""A shared map's bytes outlive SIGKILL without any msync, a private one's never get anywhere."""

from pathlib import Path

import pytest

from tools.companions.mapped.made_file import made
from tools.companions.mapped.persistence import CONTENT, Kind, outlives_a_kill


@pytest.mark.parametrize("is_synced", [False, True])
@pytest.mark.parametrize(("kind", "is_there"), [("shared", True), ("private", False)])
def test_what_is_left_when_the_writer_is_killed(
    tmp_path: Path, kind: Kind, *, is_there: bool, is_synced: bool
) -> None:
    with made(tmp_path, len(CONTENT)) as (path, _fd):
        assert outlives_a_kill(path, kind, is_synced=is_synced) == is_there
