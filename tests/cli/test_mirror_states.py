"""How the commands show what state mirrors are in."""

import time
from typing import Any

import pytest

from spliceproxy.cli.ctl import describe as describe_status
from spliceproxy.cli.top.look import Rates, look
from spliceproxy.cli.top.plain import describe as describe_look
from spliceproxy.cli.top.views import VIEWS
from tests.admin.busy import BusyClient, busy


class Client(BusyClient):
    def __init__(self, state: str) -> None:
        super().__init__()
        self._state = state

    def get(self, path: str, **query: str) -> Any:
        answer = super().get(path, **query)
        if path == "/api/status":
            mirror = answer["routes"][0]["mirrors"][0]
            mirror |= {"state": self._state, "reason": "flush_timeout", "since": time.time() - 600}
        return answer


@pytest.mark.parametrize("state", ["behind", "failing"])
def test_ctl_and_top_tell_the_state_and_why(state: str) -> None:
    seen = look(Client(state))
    texts = ("\n".join(describe_status(seen.status)), describe_look(seen, Rates(seen, None)))
    for text in texts:
        row = next(line for line in text.splitlines() if "shadow  " in line)
        assert state in row.split()
        assert row.endswith("flush_timeout, for 10m")


def test_a_mirror_that_fails_stands_above_all_tables_of_top() -> None:
    seen = look(Client("failing"))
    head = describe_look(seen, Rates(seen, None)).partition("\n\n")[0]
    assert "mirror shadow of web is failing: flush_timeout, for 10m" in head
    well = look(Client("ok"))
    assert "failing" not in describe_look(well, Rates(well, None))


@pytest.mark.parametrize(
    ("state", "mark"), [("ok", ""), ("behind", "warn"), ("failing", "bad"), ("off", "warn")]
)
def test_the_screen_marks_what_is_not_well(state: str, mark: str) -> None:
    seen = look(Client(state))
    view = next(view for view in VIEWS if view.name == "mirrors")
    row = next(view.rows(seen, Rates(seen, None)))
    assert (row[2].text, row[2].mark) == (state, mark)


def test_nothing_is_said_of_a_mirror_that_is_well_or_off() -> None:
    status = busy().as_json()
    mirror = status["routes"][0]["mirrors"][0]
    for state in ("ok", "off"):
        mirror |= {"state": state, "reason": "flush_timeout"}
        assert "flush_timeout" not in "\n".join(describe_status(status))
