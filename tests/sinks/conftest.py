"""What every test of the sinks runs under."""

import pytest

from tests.proxy.conftest import log_has_its_defaults, no_descriptor_is_left_open
from tests.sinks.leftovers import no_thread_and_no_process_is_left
from tests.sinks.places import KINDS, Place, make_place
from tests.sinks.toy import TOY, ToyPlace, register
from tests.tls.certificates import trusted

__all__ = [
    "log_has_its_defaults",
    "no_descriptor_is_left_open",
    "no_thread_and_no_process_is_left",
    "trusted",
]


@pytest.fixture(params=[*KINDS, TOY])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    """One place of each kind that a mirror can have, and of one that only tests know."""
    if request.param == TOY:
        register(monkeypatch)
        return ToyPlace()
    return make_place(request.param, request.getfixturevalue("tmp_path"))
