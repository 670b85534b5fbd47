"""The screen, driven by its keys. Textual runs on asyncio: each test has a loop of its own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from spliceproxy.cli.top.look import look
from spliceproxy.cli.top.screen import TopScreen
from spliceproxy.errors import AskingProblem
from tests.admin.busy import BusyClient

DEADLINE_S = 20.0
NEVER_S = 3600.0

Check = Callable[[TopScreen, "Pilot[None]"], Awaitable[None]]


def watch(
    client: Any,
    check: Check,
    interval_s: float = NEVER_S,
    after: Callable[[], None] = lambda: None,
) -> None:
    """Run a check against a screen of 160 columns and 40 lines."""

    async def run() -> None:
        screen = TopScreen(client, interval_s, look(BusyClient(), connections=False))
        async with screen.run_test(size=(160, 40)) as pilot:
            await check(screen, pilot)
            await pilot.press("q")
        assert screen.return_code == 0

    asyncio.run(run())
    after()
    for thread in threading.enumerate():
        if thread.name == "poller" and interval_s < NEVER_S:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


def column(screen: TopScreen, number: int) -> list[str]:
    table = screen.query_one(DataTable)
    return [str(table.get_row_at(row)[number]) for row in range(table.row_count)]


def text(screen: TopScreen, name: str) -> str:
    return str(screen.query_one(f"#{name}", Static).render())


async def until(pilot: "Pilot[None]", condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await pilot.pause(0.02)


def test_the_keys_choose_the_table() -> None:
    async def check(screen: TopScreen, pilot: "Pilot[None]") -> None:
        assert column(screen, 0) == ["web", "postgres"]
        assert "1201 open" in text(screen, "summary")
        await pilot.press("b")
        assert column(screen, 1)[0] == "10.0.1.11:8443"
        await pilot.press("m")
        assert column(screen, 1) == ["shadow", "audit"]
        await pilot.press("c")
        await until(pilot, lambda: len(column(screen, 0)) == 24)
        await pilot.press("r")
        assert column(screen, 0) == ["web", "postgres"]

    watch(BusyClient(), check)


def test_the_keys_sort_and_turn() -> None:
    async def check(screen: TopScreen, pilot: "Pilot[None]") -> None:
        await pilot.press("m", "o")
        assert column(screen, 1) == ["audit", "shadow"]
        assert "by lag, rising" in text(screen, "heading")
        await pilot.press("o", "S", "S", "S")
        assert "by mirror, falling" in text(screen, "heading")
        assert column(screen, 1) == ["shadow", "audit"]
        await pilot.press("o", "s", "s")
        assert "by open, rising" in text(screen, "heading")
        assert column(screen, 1) == ["shadow", "audit"]

    watch(BusyClient(), check)


def test_a_filter_is_typed_and_cleared() -> None:
    async def check(screen: TopScreen, pilot: "Pilot[None]") -> None:
        await pilot.press("b", "slash", *"refused")
        assert column(screen, 1) == ["10.0.1.13:8443"]
        await pilot.press("enter", "r")
        assert column(screen, 0) == []
        await pilot.press("escape")
        assert column(screen, 0) == ["web", "postgres"]

    watch(BusyClient(), check)


def test_the_figures_follow_until_they_are_held() -> None:
    client = BusyClient()

    async def check(screen: TopScreen, pilot: "Pilot[None]") -> None:
        await until(pilot, lambda: column(screen, 3)[0] not in ("-", "0.0"))
        await pilot.press("space")
        held = text(screen, "summary")
        steps = client.steps
        await until(pilot, lambda: client.steps > steps + 3)
        assert text(screen, "summary") == held
        assert "paused" in text(screen, "heading")
        await pilot.press("space")
        await until(pilot, lambda: text(screen, "summary") != held)

    watch(client, check, interval_s=0.02)


def test_workers_are_asked_for_connections_only_where_they_are_shown() -> None:
    client = BusyClient()

    async def check(screen: TopScreen, pilot: "Pilot[None]") -> None:
        await until(pilot, lambda: client.steps > 3)
        assert client.listed == 0
        await pilot.press("c")
        await until(pilot, lambda: client.listed > 3)
        await pilot.press("r")
        steps, listed = client.steps, client.listed
        await until(pilot, lambda: client.steps > steps + 4)
        assert client.listed <= listed + 1  # a look may have been under way

    watch(client, check, interval_s=0.02)


def test_a_proxy_that_does_not_answer_is_told_and_its_last_figures_stay() -> None:
    client = BusyClient()

    async def check(screen: TopScreen, pilot: "Pilot[None]") -> None:
        client.problem = AskingProblem("no answer", "is it running?")
        await until(pilot, lambda: text(screen, "trouble") == "no answer; is it running?")
        assert column(screen, 0) == ["web", "postgres"]
        client.problem = None
        await until(pilot, lambda: not screen.query_one("#trouble").display)

    watch(client, check, interval_s=0.02)


def test_a_proxy_that_hangs_does_not_hold_up_the_screen() -> None:
    class Hanging(BusyClient):
        def __init__(self) -> None:
            super().__init__()
            self.asked, self.release = threading.Event(), threading.Event()

        def get(self, path: str, **query: str) -> Any:
            self.asked.set()
            self.release.wait(DEADLINE_S)
            return super().get(path, **query)

    client = Hanging()

    async def check(screen: TopScreen, pilot: "Pilot[None]") -> None:
        await until(pilot, client.asked.is_set)
        await pilot.press("b")
        assert column(screen, 0)[0] == "web"
        assert not client.release.is_set()

    watch(client, check, interval_s=0.02, after=client.release.set)


def test_markup_and_control_characters_in_names_are_text() -> None:
    client = BusyClient()
    client.hostile = True

    async def check(screen: TopScreen, pilot: "Pilot[None]") -> None:
        await pilot.press("b")
        await until(pilot, lambda: "<img src=x onerror=alert(1)>?[31m" in column(screen, 9))

    watch(client, check, interval_s=0.02)


@pytest.mark.parametrize("size", [(80, 24), (40, 10)])
def test_a_small_terminal_will_do(size: tuple[int, int]) -> None:
    async def run() -> None:
        screen = TopScreen(BusyClient(), NEVER_S, look(BusyClient()))
        async with screen.run_test(size=size) as pilot:
            await pilot.press("c", "down", "pagedown", "s", "q")

    asyncio.run(run())
