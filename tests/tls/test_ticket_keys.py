"""Tickets are taken by whoever has the secret they were made with, for the same purpose."""

import ssl

import pytest

from spliceproxy.settings.tls import TlsDial, TlsListen
from spliceproxy.tls import ticket_keys
from spliceproxy.tls.ticket_keys import keys_can_be_set, set_ticket_keys
from tests.tls.authority import Authority, client_tls, server_tls, shake_hands

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("secret", "purpose", "taken"),
    [(b"a", b"b", True), (b"x", b"b", False), (b"a", b"x", False)],
)
def test_a_ticket_is_for_a_secret_and_a_purpose(
    authority: Authority, version: ssl.TLSVersion, secret: bytes, purpose: bytes, *, taken: bool
) -> None:
    assert keys_can_be_set()
    pair = authority.issue("localhost")
    settings = TlsListen(certificate=pair.certificate, key=pair.key)
    before, after = server_tls(settings).context, server_tls(settings).context
    set_ticket_keys(before, b"a", b"b")
    set_ticket_keys(after, secret, purpose)
    client = client_tls(TlsDial(ca=authority.path)).context
    client.maximum_version = version
    session = shake_hands(client, before).client.session
    assert shake_hands(client, after, session=session).client.session_reused == taken
    assert shake_hands(client, before, session=session).client.session_reused


@pytest.mark.parametrize("where", [0, 8, 4096])
def test_a_context_that_is_elsewhere_is_noticed(
    monkeypatch: pytest.MonkeyPatch, where: int
) -> None:
    monkeypatch.setattr(ticket_keys, "_pointer", lambda _: where)
    keys_can_be_set.cache_clear()
    try:
        assert not keys_can_be_set()
    finally:
        keys_can_be_set.cache_clear()


def test_a_library_without_the_function_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_keys, "_OpenSsl", lambda: object().missing)  # type: ignore[attr-defined]
    keys_can_be_set.cache_clear()
    try:
        assert not keys_can_be_set()
    finally:
        keys_can_be_set.cache_clear()


def test_no_session_is_kept_for_a_client_that_takes_no_ticket(authority: Authority) -> None:
    pair = authority.issue("localhost")
    server = server_tls(TlsListen(certificate=pair.certificate, key=pair.key)).context
    set_ticket_keys(server, b"a", b"b")
    client = client_tls(TlsDial(ca=authority.path)).context
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.options |= ssl.OP_NO_TICKET
    session = shake_hands(client, server).client.session
    assert server.session_stats()["number"] == 0
    assert not shake_hands(client, server, session=session).client.session_reused
