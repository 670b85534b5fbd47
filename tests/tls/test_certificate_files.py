"""Certificates and keys are read where they may be, and refused in terms of the settings."""

import os
import subprocess
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from spliceproxy.settings.tls import TlsDial, TlsListen
from spliceproxy.tls.certificate_files import (
    CertificateFiles,
    read_client_files,
    read_server_files,
)
from spliceproxy.tls.file_problem import TlsFileError
from tests.tls.authority import Authority, Pair, server_tls, write_secret
from tests.tls.revoking_authority import RevokingAuthority


def read(pair: Pair) -> CertificateFiles:
    settings = TlsListen(certificate=pair.certificate, key=pair.key)
    return read_server_files(settings).certificates[0]


def refused(settings: TlsListen) -> TlsFileError:
    with pytest.raises(TlsFileError) as caught:
        server_tls(settings)
    return caught.value


def test_names_and_expiry_are_known(authority: Authority) -> None:
    expires = datetime(2099, 5, 4, 3, 2, 1, tzinfo=UTC)
    pair = authority.issue("Example.org", "*.example.org", cn="ignored", not_after=expires)
    certificate = read(pair)
    assert certificate.names == ("example.org", "*.example.org")
    assert certificate.expires_s == expires.timestamp()
    assert certificate.path == pair.certificate


def test_a_key_may_be_in_the_certificates_file(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue("localhost")
    both = tmp_path / "both.pem"
    write_secret(both, Path(pair.certificate).read_bytes() + Path(pair.key).read_bytes())
    server_tls(TlsListen(certificate=str(both)))


def test_a_key_is_not_shown(authority: Authority) -> None:
    settings = TlsListen(
        certificate=(pair := authority.issue("localhost")).certificate, key=pair.key
    )
    assert "PRIVATE" not in repr(read_server_files(settings))


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (0o604, "everybody may read"),
        (0o644, "everybody may read"),
        (0o602, "everybody may change"),
        (0o660, "its group may change"),
    ],
)
def test_a_key_that_others_can_get_at_is_refused(
    authority: Authority, mode: int, said: str
) -> None:
    pair = authority.issue("localhost")
    Path(pair.key).chmod(mode)
    problem = refused(TlsListen(certificate=pair.certificate, key=pair.key))
    assert problem.path == ("key",)
    assert problem.message == (
        f"{said} the key in {pair.key} (mode {mode:04o}): expected chmod 0600, or 0640"
    )


def test_the_group_may_read_a_key(authority: Authority) -> None:
    pair = authority.issue("localhost")
    Path(pair.key).chmod(0o640)
    assert read(pair).key


def test_an_encrypted_key_is_refused_without_a_question(
    authority: Authority, tmp_path: Path
) -> None:
    pair = authority.issue("localhost")
    encrypted = tmp_path / "encrypted.key"
    subprocess.run(
        ["openssl", "pkey", "-in", pair.key, "-aes256", "-passout", "pass:x", "-out", encrypted],
        check=True,
    )
    encrypted.chmod(0o600)
    problem = refused(TlsListen(certificate=pair.certificate, key=str(encrypted)))
    assert problem.path == ("key",)
    assert "encrypted, and nobody could be asked" in problem.message


def test_the_key_of_another_certificate_is_refused(authority: Authority) -> None:
    one, other = authority.issue("a", file="a"), authority.issue("b", file="b")
    problem = refused(
        TlsListen(certificates=({"certificate": one.certificate, "key": other.key},))  # type: ignore[arg-type]
    )
    assert problem.path == ("certificates", 0, "key")
    assert "the key is not that of" in problem.message


def test_files_that_are_none_are_refused(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue("localhost")
    garbage, fifo = tmp_path / "garbage", tmp_path / "fifo"
    write_secret(garbage, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    os.mkfifo(fifo)
    for path, said in (
        (tmp_path / "missing", "cannot read"),
        (fifo, "is not a file"),
        (Path(pair.key), "has no certificate"),
        (garbage, "is broken"),
    ):
        problem = refused(TlsListen(certificate=str(path), key=pair.key))
        assert problem.path == ("certificate",)
        assert said in problem.message
    assert refused(TlsListen(certificate=pair.certificate)).path == ("certificate",)


def test_a_directory_has_certificates_in_each_of_their_layouts(
    authority: Authority, tmp_path: Path
) -> None:
    directory = tmp_path / "live"
    (directory / "certbot.example").mkdir(parents=True)
    (directory / "README").write_text("as certbot's")
    bot = authority.issue("certbot.example")
    Path(bot.certificate).rename(directory / "certbot.example" / "fullchain.pem")
    Path(bot.key).rename(directory / "certbot.example" / "privkey.pem")
    apart = authority.issue("apart.example")
    Path(apart.certificate).rename(directory / "apart.crt")
    Path(apart.key).rename(directory / "apart.key")
    both = authority.issue("both.example")
    content = Path(both.certificate).read_bytes() + Path(both.key).read_bytes()
    write_secret(directory / "both.pem", content)
    files = read_server_files(TlsListen(certificate=str(directory), watch=True))
    assert [one.names[0] for one in files.certificates] == [
        "apart.example",
        "both.example",
        "certbot.example",
    ]
    watched = dict(files.watched)
    assert all(watched.values())
    assert str(directory) in watched
    assert str(directory / "certbot.example" / "fullchain.pem") in watched


def test_keys_of_a_directory_are_looked_at_as_all(authority: Authority, tmp_path: Path) -> None:
    """Also one that is no more than a link, as certbot's are: what counts is the file itself."""
    live, archive = tmp_path / "live" / "a.example", tmp_path / "archive"
    live.mkdir(parents=True)
    archive.mkdir()
    pair = authority.issue("a.example")
    Path(pair.certificate).rename(archive / "fullchain1.pem")
    key = Path(pair.key).rename(archive / "privkey1.pem")
    (live / "fullchain.pem").symlink_to(archive / "fullchain1.pem")
    (live / "privkey.pem").symlink_to(key)
    settings = TlsListen(certificate=str(tmp_path / "live"))
    assert read_server_files(settings).certificates[0].key
    key.chmod(0o644)
    problem = refused(settings)
    assert problem.path == ("certificate",)
    assert f"everybody may read the key in {live / 'privkey.pem'}" in problem.message


def test_a_key_beside_others_of_a_directory(authority: Authority, tmp_path: Path) -> None:
    """HAProxy's layout: the key is in the certificate's file."""
    pair, directory = authority.issue("both.example"), tmp_path / "certs"
    directory.mkdir()
    content = Path(pair.certificate).read_bytes() + Path(pair.key).read_bytes()
    write_secret(directory / "both.pem", content)
    (directory / "both.pem").chmod(0o604)
    assert "everybody may read" in refused(TlsListen(certificate=str(directory))).message


def test_a_linked_key_that_others_may_read(authority: Authority, tmp_path: Path) -> None:
    pair, link = authority.issue("localhost"), tmp_path / "link.key"
    link.symlink_to(pair.key)
    settings = TlsListen(certificate=pair.certificate, key=str(link))
    assert read_server_files(settings).certificates[0].key
    Path(pair.key).chmod(0o644)
    assert refused(settings).path == ("key",)


def test_the_key_of_a_client_certificate_is_looked_at_too(authority: Authority) -> None:
    pair = authority.issue("client")
    Path(pair.key).chmod(0o644)
    with pytest.raises(TlsFileError, match="everybody may read") as caught:
        read_client_files(TlsDial(certificate=pair.certificate, key=pair.key))
    assert caught.value.path == ("key",)


def test_no_refusal_tells_of_a_key(authority: Authority, tmp_path: Path) -> None:
    """Neither in its message, nor in what a traceback of it would show."""
    pair, other = authority.issue("localhost"), authority.issue("b", file="b")
    secret = Path(pair.key).read_text().splitlines()[1]
    broken = tmp_path / "broken.key"
    write_secret(broken, Path(pair.key).read_bytes().replace(b"A", b"B"))
    for settings in (
        TlsListen(certificate=other.certificate, key=pair.key),
        TlsListen(certificate=pair.certificate, key=str(broken)),
        TlsListen(certificate=pair.key, key=pair.key),
    ):
        problem = refused(settings)
        said = "".join(traceback.format_exception(problem)) + repr(problem)
        assert secret not in said
        assert "PRIVATE" not in said


def test_a_certificate_among_what_is_revoked_is_refused(
    authority: Authority, tmp_path: Path
) -> None:
    """OpenSSL would believe whoever it has signed."""
    made = RevokingAuthority(tmp_path)
    made.issue("bad")
    made.revoke("bad")
    pair, mixed, none = authority.issue("localhost"), tmp_path / "mixed", tmp_path / "none"
    lists = Path(made.path("crl.pem")).read_bytes()
    for kind in (b"CERTIFICATE", b"TRUSTED CERTIFICATE", b"X509 CERTIFICATE"):
        own = Path(made.path("ca.pem")).read_bytes()
        mixed.write_bytes(lists + own.replace(b"CERTIFICATE", kind))
        problem = refused(revoking(pair, authority, mixed))
        assert problem.path == ("crl",)
        assert problem.message == (
            f"{mixed} has a certificate, which would become an authority: expected lists of "
            "revoked certificates (X509 CRL) alone"
        )
    none.write_bytes(b"nothing")
    assert "has no list of revoked" in refused(revoking(pair, authority, none)).message
    mixed.write_bytes(b"for humans:\n" + lists + lists)
    server_tls(revoking(pair, authority, mixed))


def revoking(pair: Pair, authority: Authority, lists: Path) -> TlsListen:
    ca = authority.path
    return TlsListen(certificate=pair.certificate, key=pair.key, client_ca=ca, crl=str(lists))


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    problem = refused(TlsListen(certificates=({"certificate": str(tmp_path)},)))  # type: ignore[arg-type]
    assert problem.path == ("certificates", 0, "certificate")
    assert "has no certificates" in problem.message


def test_what_is_not_watched_is_not_listed(authority: Authority) -> None:
    pair = authority.issue("localhost")
    once = TlsDial(ca=authority.path, certificate=pair.certificate, key=pair.key)
    assert read_client_files(once).watched == ()
    watched = read_client_files(once.model_copy(update={"watch": True})).watched
    assert set(dict(watched)) == {authority.path, pair.certificate, pair.key}


def test_an_expired_certificate_can_be_read(authority: Authority) -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    certificate = read(authority.issue("localhost", not_after=past))
    assert certificate.expires_s < datetime.now(UTC).timestamp()


def test_a_certificate_can_be_made() -> None:
    made = read_server_files(TlsListen(self_signed=True)).certificates[0]
    assert "localhost" in made.names
    assert made.path == "self-signed"
