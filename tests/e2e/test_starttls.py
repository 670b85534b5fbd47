"""Databases and mail servers whose TLS begins in the middle of their protocol."""

import imaplib
import os
import pwd
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.tls.certificates import authority, certificate, server_context

from .conftest import StartProxy
from .mail_servers import MailServer, mail_server
from .proxy_command import ProxyCommand
from .reloading import RoutesFile
from .servers import run, serving
from .test_postgresql import unprivileged

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TLS_BACKEND = {"ca": authority(), "name": "localhost"}


@pytest.fixture(scope="module")
def postgresql(program: Callable[[str], str]) -> Iterator[int]:
    """A database that takes logins with a password, by TLS or without."""
    initdb, postgres = program("initdb"), program("postgres")
    directory = Path(tempfile.mkdtemp(prefix="postgresql-"))
    both, password = directory / "both.pem", directory / "password"
    shutil.copyfile(certificate(), both)
    both.chmod(0o600)
    password.write_text("secret")
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        for each in (directory, both, password):
            os.chown(each, account.pw_uid, account.pw_gid)
    options = unprivileged() | {"cwd": directory}
    data, port = str(directory / "data"), free_port()
    try:
        argv = [initdb, "--pgdata", data, "--username", "me", "--auth", "scram-sha-256"]
        run([*argv, "--no-sync", "--no-locale", f"--pwfile={password}"], **options)
        rules = directory / "data" / "pg_hba.conf"
        rules.write_text(f"host all trusted 127.0.0.1/32 trust\n{rules.read_text()}")
        argv = [postgres, "-D", data, "-p", str(port), "-k", str(directory), "-F"]
        for setting in ("listen_addresses=127.0.0.1", "ssl=on"):
            argv += ["-c", setting]
        argv += ["-c", f"ssl_cert_file={both}", "-c", f"ssl_key_file={both}"]
        with serving(argv, port, directory / "log", stop_signal=signal.SIGINT, **options):
            conninfo = f"host=127.0.0.1 port={port} user=me password=secret dbname=postgres"
            run([program("psql"), "--command", "CREATE ROLE trusted LOGIN", conninfo])
            yield port
    finally:
        shutil.rmtree(directory)


def start(
    start_proxy: StartProxy,
    tmp_path: Path,
    port: int,
    listen: dict[str, Any] | None,
    backend: dict[str, Any] | None,
    **others: Any,
) -> ProxyCommand:
    file = RoutesFile(tmp_path / "routes.yaml")
    accept: dict[str, Any] = {"address": "127.0.0.1:0"}
    to: dict[str, Any] = {"address": f"127.0.0.1:{port}"}
    if listen is not None:
        accept["tls"] = {"certificate": certificate(), **listen}
    if backend is not None:
        to["tls"] = {**TLS_BACKEND, **backend}
    file.write({"name": "main", "listen": accept, "backends": [to], **others})
    return file.start(start_proxy)


def psql(
    program: Callable[[str], str], proxy: ProxyCommand, sql: str, **settings: str
) -> subprocess.CompletedProcess[str]:
    known = {"host": "localhost", "hostaddr": "127.0.0.1", "port": str(proxy.port)}
    known |= {"user": "me", "password": "secret", "dbname": "postgres", "sslrootcert": authority()}
    conninfo = " ".join(f"{name}={value}" for name, value in {**known, **settings}.items())
    argv = [program("psql"), "--no-psqlrc", "--tuples-only", "--no-align", "--command", sql]
    return subprocess.run(
        [*argv, conninfo], capture_output=True, text=True, timeout=45, check=False
    )


IS_BY_TLS = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.mark.parametrize("at_backend", [False, True])
def test_psql_verifies_the_proxy(
    start_proxy: StartProxy,
    program: Callable[[str], str],
    postgresql: int,
    tmp_path: Path,
    at_backend: bool,
) -> None:
    backend = {"starttls": "postgres"} if at_backend else None
    proxy = start(start_proxy, tmp_path, postgresql, {"starttls": "postgres"}, backend)
    more = {"channel_binding": "disable"} if at_backend else {}
    for mode in ("verify-full", "prefer", "require"):
        done = psql(program, proxy, IS_BY_TLS, sslmode=mode, **more)
        assert (done.stdout.strip(), done.stderr) == ("t" if at_backend else "f", "")
    refused = psql(program, proxy, "SELECT 1", sslmode="disable")
    assert "this address takes connections by TLS only" in refused.stderr
    lines = proxy.log.wait("clients_refused", 1)
    assert lines[0]["reason"] == "no_starttls"


def test_tls_at_the_backend_alone(
    start_proxy: StartProxy, program: Callable[[str], str], postgresql: int, tmp_path: Path
) -> None:
    proxy = start(start_proxy, tmp_path, postgresql, None, {"starttls": "postgres"})
    done = psql(program, proxy, IS_BY_TLS, sslmode="disable", user="trusted")
    assert (done.stdout.strip(), done.stderr) == ("t", "")
    # A server by TLS offers SCRAM with channel binding, which libpq takes for an attack then.
    done = psql(program, proxy, IS_BY_TLS, sslmode="disable")
    assert "server offered SCRAM-SHA-256-PLUS authentication over a non-SSL" in done.stderr


def test_direct_tls(
    start_proxy: StartProxy, program: Callable[[str], str], postgresql: int, tmp_path: Path
) -> None:
    """As clients of PostgreSQL 17 begin: with the protocol's name, and without it not."""
    proxy = start(start_proxy, tmp_path, postgresql, {"starttls": "postgres"}, None)
    for protocols, is_let_in in ((["postgresql"], True), ([], False)):
        context = ssl.create_default_context(cafile=authority())
        context.set_alpn_protocols(protocols)
        with (
            socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as sock,
            context.wrap_socket(sock, server_hostname="localhost") as secured,
        ):
            if is_let_in:
                assert secured.selected_alpn_protocol() == "postgresql"
                secured.sendall(b"\0\0\0\x11\0\x03\0\0user\0me\0\0")
                assert secured.recv(1) in (b"R", b"E")  # what a database says
            else:
                assert not received(secured)
    proxy.log.wait("clients_refused", 1)


def received(sock: socket.socket) -> bytes:
    """What comes next; nothing if it is an end, of whatever kind."""
    try:
        return sock.recv(1)
    except OSError:
        return b""


def test_a_query_is_cancelled(
    start_proxy: StartProxy, program: Callable[[str], str], postgresql: int, tmp_path: Path
) -> None:
    """By a request that libpq 15 sends without TLS, to the backend by TLS."""
    backend = {"starttls": "postgres"}
    proxy = start(start_proxy, tmp_path, postgresql, {"starttls": "postgres"}, backend)
    conninfo = f"host=localhost hostaddr=127.0.0.1 port={proxy.port} user=me password=secret "
    conninfo += f"dbname=postgres sslmode=verify-full sslrootcert={authority()} "
    conninfo += "channel_binding=disable"
    argv = [program("psql"), "--no-psqlrc", "--command", "SELECT pg_sleep(40)", conninfo]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    proxy_sees = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
    settings = {"sslmode": "require", "channel_binding": "disable"}
    while psql(program, proxy, proxy_sees, **settings).stdout.strip() != "1":
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert "canceling statement due to user request" in told


def test_a_database_without_tls(
    start_proxy: StartProxy, program: Callable[[str], str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        proxy = start(start_proxy, tmp_path, port, None, {"starttls": "postgres"})
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as client:
            far, _ = listener.accept()
            with far:
                assert len(far.recv(100)) == 8
                far.sendall(b"N")
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
    (line,) = proxy.log.wait("connect_failed", 1)
    assert line["reason"] == "backend_without_tls"


def talk_smtp(port: int, client_tls: str) -> None:
    context = ssl.create_default_context(cafile=authority())
    if client_tls == "at once":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL("localhost", port, timeout=20, context=context)
    else:
        smtp = smtplib.SMTP("localhost", port, timeout=20)
    with smtp:
        if client_tls == "starttls":
            assert smtp.ehlo()[0] == 250
            assert list(smtp.esmtp_features) == ["starttls"]
            smtp.starttls(context=context)
        smtp.ehlo()
        assert "help" in smtp.esmtp_features
        smtp.sendmail("me@example", ["you@example"], b"Subject: x\r\n\r\nhello\r\n")


def talk_imap(port: int, client_tls: str) -> None:
    context = ssl.create_default_context(cafile=authority())
    if client_tls == "at once":
        imap: imaplib.IMAP4 = imaplib.IMAP4_SSL("localhost", port, ssl_context=context, timeout=20)
    else:
        imap = imaplib.IMAP4("localhost", port, timeout=20)
    with imap:
        if client_tls == "starttls":
            imap.starttls(context)
        assert imap.login("me", "secret")[0] == "OK"


@pytest.mark.parametrize("protocol", ["smtp", "imap"])
@pytest.mark.parametrize("client_tls", ["starttls", "at once", "plain"])
@pytest.mark.parametrize("backend_tls", ["starttls", "at once", "plain"])
def test_mail(
    start_proxy: StartProxy, tmp_path: Path, protocol: str, client_tls: str, backend_tls: str
) -> None:
    """Each greeting is heard once, whoever says it; what follows is between client and server."""
    sides = {"starttls": {"starttls": protocol}, "at once": {}, "plain": None}
    tls = None if backend_tls == "plain" else server_context()
    with mail_server(protocol, tls, at_once=backend_tls == "at once") as mail:
        proxy = start(start_proxy, tmp_path, mail.port, sides[client_tls], sides[backend_tls])
        {"smtp": talk_smtp, "imap": talk_imap}[protocol](proxy.port, client_tls)
        assert_heard(mail, backend_tls)
        proxy.log.wait("connection", 1)


def assert_heard(mail: MailServer, backend_tls: str) -> None:
    """All that matters has come the way that the backend asks for."""
    important = [line for line in mail.commands if "MAIL" in line.upper() or "LOGIN" in line]
    assert len(important) == 1
    assert important[0].startswith("+") == (backend_tls != "plain")
    assert len(mail.mails) == (mail.protocol == "smtp")


def test_a_capture_has_the_greeting(
    start_proxy: StartProxy, tmp_path: Path, program: Callable[[str], str]
) -> None:
    """That was read before TLS, as the client has heard it."""
    captured = tmp_path / "captured"
    with mail_server("smtp", server_context()) as mail:
        proxy = start(
            start_proxy,
            tmp_path,
            mail.port,
            None,
            {"starttls": "smtp"},
            mirrors=[f"file:{captured}"],
        )
        talk_smtp(proxy.port, "plain")
        proxy.log.wait("connection", 1)
    (response,) = captured.rglob("*response*")
    said = response.read_bytes()
    assert said.startswith(b"220-backend.example greets\r\n220 backend.example ESMTP\r\n250-")


def test_a_mail_server_that_turns_everybody_away(start_proxy: StartProxy, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        proxy = start(start_proxy, tmp_path, port, {"starttls": "smtp"}, None)
        smtp = smtplib.SMTP("localhost", proxy.port, timeout=20)
        smtp.starttls(context=ssl.create_default_context(cafile=authority()))
        far, _ = listener.accept()
        with far:
            far.sendall(b"554 no\r\n")
            with pytest.raises((OSError, smtplib.SMTPServerDisconnected)):
                smtp.ehlo()
        smtp.close()
    (line,) = proxy.log.wait("connect_failed", 1)
    assert line["reason"] == "backend_unready"
