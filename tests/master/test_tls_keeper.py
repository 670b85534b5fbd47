"""What the master does for TLS as time goes by."""

import time
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from spliceproxy.ipc import control
from spliceproxy.master import ticket_secret
from spliceproxy.master.certificate_expiry import CertificateExpiry
from spliceproxy.master.generation import Generation
from spliceproxy.master.ticket_secret import TicketSecret
from spliceproxy.tls.certificate_files import CertificateFacts
from spliceproxy.tls.ticket_keys import SECRET_BYTES

DAY_S = 86_400


class Secrets:
    """Stands for a generation and its workers, and keeps what both are given."""

    terminates_tls = True

    def __init__(self) -> None:
        self.given: list[bytes] = []
        self.workers = WorkersOf(self)

    def use_tickets(self, secret: bytes) -> None:
        self.given.append(secret)


class WorkersOf:
    def __init__(self, generation: Secrets) -> None:
        self._generation = generation

    def use_tickets(self, secret: bytes) -> None:
        # As it arrives at a worker.
        message = control.use_tickets(secret)
        assert len(message) <= control.MAX_MESSAGE_BYTES
        self._generation.given.append(control.parse_tickets(message) or b"")


def generation() -> Any:
    return cast(Generation, Secrets())


def test_all_generations_have_one_secret_until_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    secret, one, two = TicketSecret(), generation(), generation()
    assert secret.next_deadline_s is None
    secret.tend([one])
    secret.give_to(one)
    secret.give_to(two)
    secret.tend([one, two])
    assert one.given == two.given == [one.given[0]]
    assert len(one.given[0]) == SECRET_BYTES
    now_s = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now_s + ticket_secret.LIFETIME_S)
    secret.tend([one, two])
    assert one.given == two.given
    first, new, in_workers = one.given
    assert new == in_workers != first


def test_where_keys_cannot_be_set_it_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_secret, "keys_can_be_set", lambda: False)
    secret, one = TicketSecret(), generation()
    with capture_logs() as log:
        secret.give_to(one)
        secret.give_to(one)
    assert [line["event"] for line in log] == ["tls_tickets_not_kept"]
    assert one.given == []
    assert secret.next_deadline_s is None


def facts(path: str, days: float) -> CertificateFacts:
    return CertificateFacts(path, time.time() + days * DAY_S, "")


def test_what_expires_within_two_weeks_is_told_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    expiry = CertificateExpiry()
    with capture_logs() as log:
        expiry.watch([facts("late", 14.5), facts("soon", 13.5), facts("over", -1.5)])
        expiry.tend()
        now_s, now = time.monotonic(), time.time()
        monkeypatch.setattr(time, "monotonic", lambda: now_s + DAY_S)
        monkeypatch.setattr(time, "time", lambda: now + DAY_S)
        expiry.tend()
    assert [line["event"] for line in log] == ["tls_certificates_expire"] * 2
    assert [(one["file"], one["days_left"]) for one in log[0]["certificates"]] == [
        ("over", -2),
        ("soon", 13),
    ]
    assert [one["file"] for one in log[1]["certificates"]] == ["over", "soon", "late"]


def test_a_line_about_many_is_bounded() -> None:
    with capture_logs() as log:
        CertificateExpiry().watch([facts(str(number), 1) for number in range(30)])
    assert len(log[0]["certificates"]) == 20
    assert log[0]["not_told"] == 10


def test_without_certificates_there_is_nothing_to_do() -> None:
    expiry = CertificateExpiry()
    expiry.watch([])
    assert expiry.next_deadline_s is None
