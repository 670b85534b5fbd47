"""The status page as a browser shows it."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from spliceproxy.observe.status import Status
from tests.admin.browsing import Browser, BusyOperations, page
from tests.admin.busy import HOSTILE, busy

pytestmark = pytest.mark.slow


@pytest.fixture
def browser(program: Callable[[str], str], tmp_path: Path) -> Browser:
    return Browser(program("chromium"), tmp_path / "profile")


async def test_the_figures_appear(browser: Browser) -> None:
    operations = BusyOperations()
    async with page(operations) as url:
        dom = await browser.dom(url)
    assert operations.steps > 5
    assert "<b>1,201</b>open connections" in dom
    assert "<b>0</b>new connections/s" not in dom
    assert "<td" in dom
    down = re.search(r"<tr>(?:(?!</tr>).)*10\.0\.1\.13:8443.*?</tr>", dom)
    assert down is not None
    assert 'class="state bad"' in down[0]
    assert "check: connection refused" in down[0]
    assert "24 of 1,201" in dom
    assert "203.0.113.10:40000" in dom
    assert 'id="trouble" role="alert" style="display: none;"' in dom


async def test_a_mirror_that_fails_is_red_and_says_why(browser: Browser) -> None:
    def failing(step: int) -> Status:
        status = busy(step)
        mirror = status.routes[0].mirrors[1]
        mirror.state, mirror.reason, mirror.since = "failing", "file_enospc", time.time() - 600
        return status

    async with page(BusyOperations(failing)) as url:
        dom = await browser.dom(url)
    rows = [row for row in dom.split("<tr>") if ">shadow<" in row or ">audit<" in row]
    assert 'class="state good"' in rows[0]
    assert 'class="state bad"' in rows[1]
    assert "file_enospc, for 10 min" in rows[1]
    assert '<b class="bad">1</b>mirrors failing' in dom


async def test_names_are_text_whatever_is_in_them(browser: Browser) -> None:
    def hostile(step: int) -> Status:
        status = busy(step)
        route = status.routes[0]
        for backend in route.backends:
            backend.name = f"{HOSTILE}{backend.name}"
        for mirror in route.mirrors:
            mirror.name = f"{HOSTILE}{mirror.name}"
        route.backends[0].reason = route.backends[0].state = HOSTILE
        route.refused = route.backends[0].failed = {HOSTILE: 1}
        route.listeners = [HOSTILE]
        return replace(status, last_reload=f"</script>{HOSTILE}")

    async with page(BusyOperations(hostile)) as url:
        dom = await browser.dom(url)
    assert "&lt;img src=x onerror=alert(1)&gt;" in dom
    assert "<img" not in dom
    assert dom.count("</script>") == 1


async def test_a_missing_answer_is_told(browser: Browser) -> None:
    class Failing(BusyOperations):
        def status(self) -> Status:
            raise ZeroDivisionError

    async with page(Failing()) as url:
        dom = await browser.dom(url, may_fail=True)
    assert "No answer: internal error; see the log" in dom


async def test_whoever_has_no_token_is_told_so_and_asked_for_it(browser: Browser) -> None:
    operations = BusyOperations()
    async with page(operations, token="0123456789abcdef") as url:
        dom = await browser.dom(url, may_fail=True)
    assert "Refused: the token is missing: Authorization: Bearer TOKEN</section>" in dom
    assert '<section id="entry" style="display: block;">' in dom
    assert operations.steps == 0


async def test_the_page_of_another_site_learns_nothing(browser: Browser) -> None:
    operations = BusyOperations()
    async with page(operations) as url:
        dom = await browser.dom(url.replace("127.0.0.1", "evil.example"), may_fail=True)
    assert "the Host header names another site" in dom
    assert operations.steps == 0


async def test_it_is_drawn_on_a_phone_and_on_a_desk(browser: Browser, tmp_path: Path) -> None:
    async with page(BusyOperations()) as url:
        for width, height in ((390, 844), (1280, 900)):
            image = tmp_path / "page.png"
            await browser.screenshot(url, image, width, height)
            header = image.read_bytes()[:24]
            assert (int.from_bytes(header[16:20]), int.from_bytes(header[20:])) == (width, height)
            assert image.stat().st_size > 20_000  # an empty page has some 5 kB
