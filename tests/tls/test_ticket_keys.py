"""Tickets are taken by whoever has the secret they were made with, for the same purpose."""

import ssl
from pathlib import Path

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


@pytest.mark.parametrize("version", VERSIONS)
def test_where_tickets_are_off_no_session_is_kept_either(
    authority: Authority, version: ssl.TLSVersion
) -> None:
    """Whoever cannot resume by a ticket would do so by what the worker keeps, with TLS 1.2."""
    pair = authority.issue("localhost")
    settings = TlsListen(certificate=pair.certificate, key=pair.key, tickets=False)
    server = server_tls(settings)
    server.use_tickets(b"secret")
    client = client_tls(TlsDial(ca=authority.path)).context
    client.maximum_version = version
    session = shake_hands(client, server.context).client.session
    assert server.context.session_stats()["number"] == 0
    assert not shake_hands(client, server.context, session=session).client.session_reused


@pytest.mark.parametrize("version", VERSIONS)
def test_nobody_resumes_what_other_authorities_were_asked_for(
    authority: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """The same secret before and after a reload that changes `client_ca`."""
    pair, own = authority.issue("localhost"), authority.issue("client", file="client")
    other = Authority(tmp_path, "other")
    client = client_tls(
        TlsDial(ca=authority.path, certificate=own.certificate, key=own.key)
    ).context
    client.maximum_version = version
    tls = [
        server_tls(TlsListen(certificate=pair.certificate, key=pair.key, client_ca=path))
        for path in (authority.path, authority.path, other.path)
    ]
    for each in tls:
        each.use_tickets(b"secret")
    before, after, changed = (each.context for each in tls)
    session = shake_hands(client, before).client.session
    assert shake_hands(client, after, session=session).client.session_reused
    with pytest.raises(ssl.SSLError, match="verify failed"):
        shake_hands(client, changed, session=session)


def test_without_keys_of_ours_nobody_resumes_after_a_reload(authority: Authority) -> None:
    """OpenSSL's own are those of one context."""
    pair = authority.issue("localhost")
    settings = TlsListen(certificate=pair.certificate, key=pair.key)
    client = client_tls(TlsDial(ca=authority.path)).context
    session = shake_hands(client, server_tls(settings).context).client.session
    again = shake_hands(client, server_tls(settings).context, session=session)
    assert not again.client.session_reused
