"""A capture as packets, live and afterwards, for the programs that read such."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import spliceproxy.capture
from spliceproxy.capture import Data, Direction
from tests.capture.test_packets import experts
from tests.docs.commands import REPOSITORY
from tests.e2e.processes import wait_until

from .page import recipes
from .recipe_shell import RecipeShell

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WIRESHARK = """#!/bin/sh
test "$*" = "-k -i -" && exec tshark -n -l -i - -T fields -e frame.comment >{}
"""


def test_each_byte_is_there_for_tshark_and_others(
    shell: RecipeShell, program: Callable[[str], str], tmp_path: Path
) -> None:
    for name in ("redis-server", "tshark", "capinfos", "tcpdump", "tcpflow"):
        program(name)
    shown = tmp_path / "shown"
    (tmp_path / "wireshark").write_text(WIRESHARK.format(shown))
    (tmp_path / "wireshark").chmod(0o755)
    recipe = recipes()["Wireshark, tshark, tcpdump, tcpflow"]
    shell.follow_block(recipe, 0)
    shell.follow_block(recipe, 1)
    live = shell.directory / "live"

    def is_live() -> bool:
        shell.type("redis-cli -p 7000 PING")
        return live.stat().st_size > 0 and shown.exists() and shown.stat().st_size > 0

    wait_until(is_live, 50, "packets as they are said")
    shell.follow_block(recipe, 2)
    page = (REPOSITORY / "docs/design.md").read_text()
    assert (shell.directory / "page").read_text() == page + "\n"
    shell.follow_block(recipe, 3)
    [expert] = [each.output for each in shell.typed if "expert,warn" in each.command]
    assert "Warn" not in expert
    assert "Error" not in expert
    packets = shell.directory / "all.pcapng"
    assert experts(packets) == []
    connections = sorted(
        spliceproxy.capture.open(shell.directory / "capture").connections(),
        key=lambda connection: connection.began_ns,
    )
    assert len(connections) > 10
    is_told = shell.outputs("tcpdump")[0].count("Flags [S],")
    assert is_told == len(connections)
    both = [(said(each, "request"), said(each, "response")) for each in connections]
    assert followed(packets, len(both)) == both
    flows = sorted(file.read_bytes() for file in (shell.directory / "flows").glob("*.*-*"))
    assert flows == sorted(data for pair in both for data in pair)


def said(connection: spliceproxy.capture.Connection, direction: Direction) -> bytes:
    events = connection.events()
    return b"".join(
        event.data for event in events if isinstance(event, Data) and event.direction == direction
    )


def followed(packets: Path, count: int) -> list[tuple[bytes, bytes]]:
    """What *Follow TCP stream* gives of each stream: by the client, who begins, and by the server.

    One run of tshark for all: it takes a second to start where the machine is busy.
    """
    asked = [word for number in range(count) for word in ("-z", f"follow,tcp,raw,{number}")]
    done = subprocess.run(
        ["tshark", "-n", "-r", packets, "-q", *asked], capture_output=True, text=True, check=True
    )
    told = re.findall(r"tcp.stream eq (\d+)\nNode 0.*\nNode 1.*\n([^=]*)", done.stdout)
    streams = {}
    for number, text in told:
        sides = [bytearray(), bytearray()]
        for line in text.splitlines():
            sides[line.startswith("\t")] += bytes.fromhex(line)
        streams[int(number)] = (bytes(sides[0]), bytes(sides[1]))
    return [streams[number] for number in range(count)]
