import errno

import pytest

from spliceproxy import reasons
from spliceproxy.observe.connection import ConnectionRecord
from spliceproxy.observe.termination import CAUSES, OTHER_ERRORS, Phase, cause_of, letters
from spliceproxy.policy import admission

OF_ATTEMPTS_ALONE = {reasons.OVERTAKEN, reasons.NO_CPU_TIME}
"""Why a connect or a check came to nothing; no connection ends for them."""
NAMED = {
    value
    for module in (reasons, admission)
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, str)
} - OF_ATTEMPTS_ALONE
OF_ERRORS = {
    reasons.name_error(side, number) for side in ("client", "backend") for number in errno.errorcode
}
EXPECTED_ERRORS = {
    reasons.name_error(side, number)
    for side in ("client", "backend")
    for number in {**reasons._PEER_ERRORS, **reasons._OWN_ERRORS}
}


def test_every_reason_has_a_row_and_no_row_is_left_over() -> None:
    assert set(CAUSES) == NAMED | EXPECTED_ERRORS


def test_an_error_that_nobody_expects_is_told_by_its_side() -> None:
    others = OF_ERRORS - set(CAUSES)
    assert "client_eproto" in others
    assert {cause_of(why).closed_by for why in others if why.startswith("client_")} == {"client"}
    assert {cause_of(why).closed_by for why in others if why.startswith("backend_")} == {"backend"}
    assert {cause_of(why) for why in others} == set(OTHER_ERRORS.values())


def test_rows_are_complete() -> None:
    for why, cause in CAUSES.items():
        assert cause.letter in "-CScsKPRID", why  # those of HAProxy's manual
        assert cause.meaning, why
        assert (cause.closed_by is None) == (why == reasons.CLOSED)


@pytest.mark.parametrize(
    ("why", "phase", "expected"),
    [
        ("closed", Phase.DATA, "--"),
        ("client_reset", Phase.DATA, "CD"),
        ("client_left", Phase.CONNECT, "CC"),
        ("client_left", Phase.QUEUE, "CQ"),
        ("backend_refused", Phase.CONNECT, "SC"),
        ("backend_reset", Phase.DATA, "SD"),
        ("connect_timeout", Phase.CONNECT, "sC"),
        ("idle_timeout", Phase.DATA, "cD"),
        ("no_descriptors", Phase.CONNECT, "RC"),
        ("drain_deadline", Phase.DATA, "KD"),
        ("internal_error", Phase.DATA, "ID"),
        ("backend_eproto", Phase.DATA, "SD"),
    ],
)
def test_the_letters_that_operators_know(why: str, phase: Phase, expected: str) -> None:
    assert letters(why, phase) == expected


def test_an_orderly_end_is_the_doing_of_whose_stream_ended_first() -> None:
    record = ConnectionRecord("web", "127.0.0.1:80", "192.0.2.1:5")
    record.end("closed", "backend")
    assert record.closed_by == "backend"
    record.end("client_reset", "backend")
    assert record.closed_by == "client"
    record.end("idle_timeout", "backend")
    assert record.closed_by == "proxy"
