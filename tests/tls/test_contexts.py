"""Handshakes with contexts as settings ask for them."""

import ssl
import sys
from pathlib import Path

import pytest

from spliceproxy.settings.address import TcpAddress
from spliceproxy.settings.tls import CertificateSettings, TlsDial, TlsListen
from spliceproxy.tls.certificate_files import read_client_files
from spliceproxy.tls.client_context import ClientContexts
from spliceproxy.tls.file_problem import TlsFileError
from tests.tls.authority import Authority, Pair, client_tls, server_tls, shake_hands
from tests.tls.revoking_authority import RevokingAuthority


def listening(pair: Pair, **more: object) -> TlsListen:
    return TlsListen(certificate=pair.certificate, key=pair.key, **more)  # type: ignore[arg-type]


def shown_to(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> set[str]:
    """The names in the certificate that a client sees who asks for a name."""
    client.check_hostname = False
    told = shake_hands(client, server, name).client.getpeercert()
    assert told is not None
    return {str(one[1]) for one in told["subjectAltName"]}


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("one.example", "one.example"),
        ("ONE.example", "one.example"),
        ("two.example", "two.example"),
        ("a.two.example", "*.two.example"),
        ("exact.two.example", "exact.two.example"),
        ("b.a.two.example", "one.example"),  # a wildcard is one level (RFC 9525)
        ("elsewhere.example", "one.example"),
    ],
)
def test_the_name_chooses_the_certificate(authority: Authority, asked: str, shown: str) -> None:
    pairs = [
        authority.issue("one.example", file="1"),
        authority.issue("two.example", "*.two.example", file="2"),
        authority.issue("exact.two.example", file="3"),
        authority.issue("one.example", "never.example", file="4"),
    ]
    settings = TlsListen(
        certificates=tuple(
            CertificateSettings(certificate=pair.certificate, key=pair.key) for pair in pairs
        )
    )
    client = client_tls(TlsDial(ca=authority.path)).context
    names = shown_to(client, server_tls(settings).context, asked)
    assert shown in names
    assert "never.example" not in names


def test_protocols_are_agreed_on(authority: Authority) -> None:
    server = server_tls(listening(authority.issue("localhost"), alpn=("h2", "http/1.1"))).context
    for offered, agreed in ((("http/1.1", "h2"), "h2"), (("x",), None), ((), None)):
        client = client_tls(TlsDial(ca=authority.path, alpn=offered)).context
        assert shake_hands(client, server).client.selected_alpn_protocol() == agreed


def test_the_lowest_version_is_what_settings_say(authority: Authority) -> None:
    pair = authority.issue("localhost")
    old = client_tls(TlsDial(ca=authority.path)).context
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert shake_hands(old, server_tls(listening(pair)).context).client.version() == "TLSv1.2"
    for settings in (listening(pair, min_version="1.3"), listening(pair, ciphers=("modern",))):
        with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
            shake_hands(old, server_tls(settings).context)


def test_a_list_of_ciphers_is_all_there_is(authority: Authority) -> None:
    chosen = "ECDHE-ECDSA-AES256-GCM-SHA384"
    server = server_tls(listening(authority.issue("localhost"), ciphers=(chosen,))).context
    client = client_tls(TlsDial(ca=authority.path)).context
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    cipher = shake_hands(client, server).client.cipher()
    assert cipher is not None
    assert cipher[0] == chosen


def test_an_unknown_cipher_is_told_by_its_number(authority: Authority) -> None:
    settings = listening(
        authority.issue("localhost"), ciphers=("ECDHE-ECDSA-AES256-GCM-SHA384", "ROT-13")
    )
    with pytest.raises(TlsFileError, match="'ROT-13' is not known") as caught:
        server_tls(settings)
    assert caught.value.path == ("ciphers", 1)


def test_clients_are_asked_for_certificates(authority: Authority, tmp_path: Path) -> None:
    server_pair, client_pair = authority.issue("localhost"), authority.issue("c", file="c")
    stranger = Authority(tmp_path, "other").issue("c", file="stranger")
    anonymous = TlsDial(ca=authority.path)
    known = TlsDial(ca=authority.path, certificate=client_pair.certificate, key=client_pair.key)
    other = TlsDial(ca=authority.path, certificate=stranger.certificate, key=stranger.key)
    strict = server_tls(listening(server_pair, client_ca=authority.path)).context
    lax = server_tls(listening(server_pair, client_ca=authority.path, require="optional")).context
    for server in (strict, lax):
        assert shake_hands(client_tls(known).context, server).server.getpeercert()
        with pytest.raises(ssl.SSLError):
            shake_hands(client_tls(other).context, server)
    with pytest.raises(ssl.SSLError):
        shake_hands(client_tls(anonymous).context, strict)
    assert not shake_hands(client_tls(anonymous).context, lax).server.getpeercert()


def test_a_revoked_client_is_refused(tmp_path: Path) -> None:
    made = RevokingAuthority(tmp_path)
    for name in ("server", "good", "bad"):
        made.issue(name)
    made.revoke("bad")
    server = server_tls(
        TlsListen(
            certificate=made.path("server.pem"),
            key=made.path("server.key"),
            client_ca=made.path("ca.pem"),
            crl=made.path("crl.pem"),
        )
    ).context
    for name in ("good", "bad"):
        client = client_tls(
            TlsDial(
                verify=False, certificate=made.path(f"{name}.pem"), key=made.path(f"{name}.key")
            )
        ).context
        if name == "good":
            shake_hands(client, server)
        else:
            with pytest.raises(ssl.SSLError, match="revoked"):
                shake_hands(client, server)


def test_a_backend_is_checked_by_its_name(authority: Authority) -> None:
    server = server_tls(listening(authority.issue("db.example"))).context
    for settings, address, works in (
        (TlsDial(ca=authority.path), "db.example:5432", True),
        (TlsDial(ca=authority.path), "other.example:5432", False),
        (TlsDial(ca=authority.path, name="db.example"), "other.example:5432", True),
        (TlsDial(verify=False), "other.example:5432", True),
        (TlsDial(), "db.example:5432", False),  # the system does not know this authority
    ):
        tls = client_tls(settings, address)
        if works:
            shake_hands(tls.context, server, tls.server_hostname)
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                shake_hands(tls.context, server, tls.server_hostname)


@pytest.mark.parametrize(
    ("address", "name"),
    [("[fe80::1%eth0]:1", "fe80::1"), ("127.0.0.1:1", "127.0.0.1"), ("Db:1", "db")],
)
def test_the_name_is_the_host_of_the_address(address: str, name: str) -> None:
    assert client_tls(TlsDial(verify=False), address).server_hostname == name


def test_sessions_are_resumed_by_ticket_unless_it_is_off(authority: Authority) -> None:
    pair = authority.issue("localhost")
    for settings, resumes in ((listening(pair), True), (listening(pair, tickets=False), False)):
        server = server_tls(settings).context
        client = client_tls(TlsDial(ca=authority.path)).context
        session = shake_hands(client, server).client.session
        assert shake_hands(client, server, session=session).client.session_reused == resumes


def test_whoever_asks_for_another_name_resumes_too(authority: Authority) -> None:
    pairs = [authority.issue(f"{name}.example", file=name) for name in ("a", "b")]
    settings = TlsListen(
        certificates=tuple(
            CertificateSettings(certificate=pair.certificate, key=pair.key) for pair in pairs
        )
    )
    server = server_tls(settings).context
    client = client_tls(TlsDial(ca=authority.path)).context
    session = shake_hands(client, server, "b.example").client.session
    assert shake_hands(client, server, "b.example", session).client.session_reused


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_who_resumes_is_known_by_its_certificate(
    authority: Authority, version: ssl.TLSVersion
) -> None:
    pair = authority.issue("client.example", file="client")
    server = server_tls(listening(authority.issue("localhost"), client_ca=authority.path)).context
    client = client_tls(
        TlsDial(ca=authority.path, certificate=pair.certificate, key=pair.key)
    ).context
    client.maximum_version = version
    first = shake_hands(client, server)
    again = shake_hands(client, server, session=first.client.session)
    assert again.client.session_reused
    assert again.server.getpeercert() == first.server.getpeercert()
    assert again.server.getpeercert(binary_form=True)


def test_backends_that_are_spoken_to_alike_share_a_context(authority: Authority) -> None:
    contexts, dial = ClientContexts(), TlsDial(ca=authority.path)
    files = read_client_files(dial)
    one = contexts.make(dial, files, TcpAddress("a", 1))
    two = contexts.make(TlsDial(ca=authority.path, name="b"), files, TcpAddress("c", 1))
    assert one.context is two.context
    assert (one.server_hostname, two.server_hostname) == ("a", "b")
    other = TlsDial(ca=authority.path, alpn=("h2",))
    assert contexts.make(other, files, TcpAddress("a", 1)).context is not one.context


def test_a_name_that_is_no_text_fails_without_a_traceback(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", printed.append)
    pair = authority.issue("one.example")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for _ in range(2):
        server = server_tls(listening(pair)).context.wrap_bio(
            incoming, ssl.MemoryBIO(), server_side=True
        )
        hello = client.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="one.example")
        with pytest.raises(ssl.SSLWantReadError):
            hello.do_handshake()
        incoming.write(outgoing.read().replace(b"one.example", b"\xffne.example"))
        with pytest.raises(ssl.SSLError, match="CALLBACK_FAILED"):
            server.do_handshake()
    assert printed == []
