"""openssl's s_client and s_server: bytes, ends, and what they may ask for in between."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import StartProxy
from tests.e2e.peers import random_bytes, receive_exactly, receive_to_end

from .conversation import Openssl

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

sides = pytest.mark.parametrize("side", ["client", "backend"])
versions = pytest.mark.parametrize("version", ["1.2", "1.3"])


@pytest.fixture
def openssl(start_proxy: StartProxy, program: Callable[[str], str], tmp_path: Path) -> Openssl:
    return Openssl(start_proxy, program, tmp_path)


@sides
@versions
def test_bytes_both_ways(openssl: Openssl, side: str, version: str) -> None:
    there, back = random_bytes(3 << 20, 1), random_bytes(3 << 20, 2) + b"the end"
    with openssl.talk(side, version, "-quiet") as talk:
        typing = threading.Thread(target=talk.peer.enter, args=(there,))
        typing.start()
        assert receive_exactly(talk.far, len(there)) == there
        typing.join()
        talk.far.sendall(back)
        talk.peer.wait_for(back)


@versions
def test_an_early_end_of_a_client(openssl: Openssl, version: str) -> None:
    with openssl.talk("client", version) as talk:
        talk.hear(b"and that was it\n")
        talk.peer.enter(b"Q\n")
        assert receive_to_end(talk.far) == b""
        talk.far.close()
        talk.peer.wait_end()
        assert talk.reason() == "closed"
        talk.check_bystander()


@versions
def test_an_early_end_of_a_backend(openssl: Openssl, version: str) -> None:
    """Behind a page: `Q` has s_server close without saying goodbye."""
    with openssl.talk("backend", version, "-www") as talk:
        talk.far.sendall(b"GET / HTTP/1.0\r\n\r\n")
        page = receive_to_end(talk.far)
        assert page.startswith(b"HTTP/1.0 200 ok")
        assert page.endswith(b"</BODY></HTML>\r\n\r\n")
        talk.far.close()
        assert talk.reason() == "closed"
        talk.check_bystander()


@versions
@pytest.mark.parametrize(
    ("side", "way"), [("client", "killed"), ("backend", "killed"), ("backend", "Q")]
)
def test_an_end_that_was_not_said(openssl: Openssl, side: str, version: str, way: str) -> None:
    """The kernel's FIN alone: anybody in between could have sent that."""
    with openssl.talk(side, version) as talk:
        talk.hear(b"nothing more\n")
        if way == "Q":
            talk.peer.enter(b"Q\n")
        else:
            talk.peer.kill()
        with pytest.raises(ConnectionResetError):
            receive_to_end(talk.far)
        assert talk.reason() == f"{side}_tls_truncated"
        talk.check_bystander()


@sides
def test_an_end_of_the_other_side(openssl: Openssl, side: str) -> None:
    """A goodbye reaches the program, which ends the connection then."""
    with openssl.talk(side, "1.3", "-msg") as talk:
        talk.hear(b"one\n")
        talk.far.close()
        talk.peer.wait_for(b"close_notify")
        assert talk.reason() == "closed"
        talk.check_bystander()


@sides
def test_renegotiation_is_refused(openssl: Openssl, side: str) -> None:
    """As an alert, at which OpenSSL ends the connection; no other one is harmed."""
    with openssl.talk(side, "1.2", "-msg") as talk:
        talk.hear(b"before\n")
        talk.tell(b"before")
        talk.peer.enter(b"R\n" if side == "client" else b"r\n")
        talk.peer.wait_for(b"no_renegotiation")
        with pytest.raises(ConnectionResetError):
            receive_to_end(talk.far)
        assert talk.reason() == f"{side}_tls_broken"
        talk.check_bystander()


@sides
@pytest.mark.parametrize("command", [b"k\n", b"K\n"])
def test_other_keys(openssl: Openssl, side: str, command: bytes) -> None:
    """Of the peer's own; with `K` of the proxy's as well, which it asks for."""
    with openssl.talk(side, "1.3", "-msg") as talk:
        for number in range(3):
            talk.peer.enter(command)
            talk.peer.wait_for(b">>> TLS 1.3, Handshake [length 0005], KeyUpdate")
            talk.hear(b"heard %d\n" % number)
            talk.far.sendall(b"told %d" % number)
            if command == b"K\n":  # it is answered with the next bytes (RFC 8446, 4.6.3)
                talk.peer.wait_for(b"<<< TLS 1.3, Handshake [length 0005], KeyUpdate")
            talk.peer.wait_for(b"told %d" % number)
            talk.check_bystander()
