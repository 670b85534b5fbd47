"""Each way in which a link may end has a reason that the log and the metrics know."""

import pytest

from spliceproxy.observe.termination import CAUSES
from spliceproxy.proxy.ending import reason_of
from spliceproxy.pump.ending import Ending
from tests.pump.linking import linked
from tests.streams import reset


@pytest.mark.parametrize("ending", sorted(set(Ending) - {Ending.FAILED}, key=str), ids=str)
async def test_an_ending_without_a_failed_peer(ending: Ending) -> None:
    async with linked() as it:
        it.link.close(ending)
        assert reason_of(it.link) in CAUSES


async def test_a_word_stands_for_itself() -> None:
    async with linked() as it:
        it.link.close("closed_by_operator")
        assert reason_of(it.link) == "closed_by_operator"


@pytest.mark.parametrize("side", ["client", "backend"])
async def test_a_failed_peer_is_named_with_its_error(side: str) -> None:
    async with linked() as it:
        reset(it.client if side == "client" else it.backend)
        assert await it.reason() == f"{side}_reset"
        assert it.link.ending is Ending.FAILED
