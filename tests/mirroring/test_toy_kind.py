"""A kind of mirror needs a file and its rows, and nothing else: one that only tests know works."""

from pathlib import Path

import pytest
import trio
from click.testing import CliRunner

from spliceproxy.cli.main import run
from spliceproxy.cli.routes_file import check
from spliceproxy.doctor.needs import Need, find_needs, mirror_directories
from spliceproxy.errors import ExitStatus, UsageProblem
from spliceproxy.proxy.capacity import share
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.settings.mirror_kinds.table import KINDS
from spliceproxy.settings.proxy import Settings
from spliceproxy.sinks.checks import check_mirrors, report_left_behind
from spliceproxy.sinks.kinds import SINKS
from tests.cli.conftest import seen, supervised
from tests.mirroring.mirrored import mirrored
from tests.proxy.judge import exchange
from tests.proxy.payload import random_bytes
from tests.proxy.relay import both_modes
from tests.routes_file.reading import settings_of
from tests.sinks.toy import ToySink, register

__all__ = ["seen", "supervised"]

ROUTE = 'routes: [{listen: 80, backends: "b:80", mirrors: [%s]}]'


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


def test_every_kind_that_can_be_written_has_a_sink() -> None:
    assert KINDS.keys() == SINKS.keys()
    assert all(kind.name == name for name, kind in KINDS.items())


def test_the_option_of_the_command(seen: list[Settings]) -> None:
    arguments = ["--listen", "80", "--backend", "b:80", "--mirror", "toy:a?unit=8&overflow=block"]
    assert run(arguments) == ExitStatus.OK
    [mirror] = seen[0].routes[0].mirrors
    assert (mirror.kind, mirror.target, mirror.own) == ("toy", "a", 8)
    assert (mirror.direction, mirror.overflow) == ("both", "block")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("toi:a", "did you mean 'toy'.* null: or toy:NAME"),
        ("toy:7", "expected toy:NAME, as in"),
        ("toy:a?overflow=gap", "overflow=gap is not for toy: expected detach or block"),
        ("toy:a?spool=1GiB", "'spool' is not for toy: .* overflow or unit"),
        ("null:?unit=8", "'unit' is not for null"),
    ],
)
def test_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_mirror(text)


def test_the_check_of_a_routes_file(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTE % '"toy:a?unit=8", {to: "toy:b", unit: 2}')
    shown = CliRunner().invoke(check, ["--show", str(path)], standalone_mode=False)
    assert shown.return_value == ExitStatus.OK
    assert "unit: 2" in shown.output
    assert settings_of(shown.output) == settings_of(path.read_text())


def test_before_the_start() -> None:
    settings = settings_of(ROUTE % '"toy:a", "file:/d"')
    route = settings.routes[0]
    assert find_needs(settings) == {*Need}
    assert mirror_directories(settings) == [Path("/d")]
    assert share([route], 400) == (100,)  # two sockets, two files, and nothing for the toy
    report_left_behind(route.mirrors)
    assert ToySink.left_behind == ["a"]
    with pytest.raises(UsageProblem, match="the toy is broken"):
        check_mirrors([parse_mirror("toy:broken")])


@both_modes
async def test_a_connection(splice: bool) -> None:
    request, response = random_bytes(800_000, seed=1), random_bytes(400_000, seed=2)
    with trio.fail_after(30):
        async with mirrored("toy:a?unit=1000", "toy:b?direction=request", splice=splice) as it:
            for _ in range(2):
                await exchange(await it.connect(), request, response, seed=3)
            line = await it.line(2)
            assert {account["state"] for account in line["mirrors"]} == {"complete"}
    assert ToySink.counted == {"a": 2 * 1200, "b": 2 * 800_000}
    assert len(ToySink.records) == 4  # of two connections, for two mirrors
    assert {record["reason"] for record in ToySink.records} == {"closed"}
