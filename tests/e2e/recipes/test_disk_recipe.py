"""A disk that fills while it is captured onto."""

from collections.abc import Callable

import pytest

import spliceproxy.capture
from spliceproxy.capture import Data, Missing

from .page import recipes
from .recipe_shell import RecipeShell

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_a_full_disk_costs_a_part_of_the_capture_and_no_traffic(
    shell_with_mounts: RecipeShell, program: Callable[[str], str]
) -> None:
    program("redis-server")
    shell = shell_with_mounts
    recipe = recipes()["A disk that runs full"]
    assert recipe.blocks[0] == ("unshare --mount bash",)
    for number in range(1, len(recipe.blocks)):
        shell.follow_block(recipe, number, {"cat /dev/zero": 1})
    shell.check_shown(recipe)
    disk = shell.directory / "disk"
    assert shell.type(f"cp -r {disk}/capture {shell.directory}/kept").status == 0  # to out here
    value = (shell.directory / "value").read_bytes()
    sent = (b"$%d\r\n%b\r\n" % (len(value), value)) * 500
    [connection] = spliceproxy.capture.open(shell.directory / "kept").connections()
    assert connection.reason == "closed"
    told = [each for each in connection.events() if isinstance(each, Data | Missing)]
    answers = [event for event in told if event.direction == "response"]
    gaps = [event for event in answers if isinstance(event, Missing)]
    assert "file_enospc" in {gap.reason for gap in gaps}
    data = [event for event in answers if isinstance(event, Data)]
    assert all(sent[each.offset :].startswith(each.data) for each in data)
    assert data[-1].offset + len(data[-1].data) == len(sent)
    there = sum(len(each.data) for each in data)
    assert there + sum(gap.length or 0 for gap in gaps) == len(sent)
