"""HAProxy and nginx, each by TLS in front of the proxy and behind it, with certificates."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import StartProxy
from tests.e2e.nginx import nginx_with
from tests.e2e.peers import Backend, is_ended, random_bytes, receive_exactly, receive_to_end
from tests.e2e.proxy_command import ProxyCommand
from tests.e2e.reloading import RoutesFile
from tests.ports import free_port
from tests.tls.authority import Authority, Pair

from .haproxy_peer import haproxy_peer

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Program = Callable[[str], str]


class Site:
    """Files for whoever speaks TLS, each party with a certificate of its own."""

    def __init__(self, authority: Authority, directory: Path) -> None:
        self.ca = authority.path
        self.directory = directory
        self._authority = authority

    def pair(self, name: str) -> Pair:
        return self._authority.issue(name, file=name, cn=name)

    def both(self, name: str) -> str:
        """In one file, as HAProxy wants it."""
        pair, file = self.pair(name), self.directory / f"{name}-both.pem"
        file.write_bytes(Path(pair.certificate).read_bytes() + Path(pair.key).read_bytes())
        return str(file)

    def client(self, name: str | None = None) -> ssl.SSLContext:
        """What a client of the test's own speaks with."""
        context = ssl.create_default_context(cafile=self.ca)
        if name is not None:
            pair = self.pair(name)
            context.load_cert_chain(pair.certificate, pair.key)
        return context


@pytest.fixture
def site(authority: Authority, tmp_path: Path) -> Site:
    return Site(authority, tmp_path)


@contextmanager
def connected(context: ssl.SSLContext, port: int, name: str) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(("127.0.0.1", port), 20) as raw,
        context.wrap_socket(raw, server_hostname=name) as secured,
    ):
        yield secured


def start(
    start_proxy: StartProxy, site: Site, listen: dict[str, Any] | None, backend: Any, **others: Any
) -> ProxyCommand:
    accept: dict[str, Any] = {"address": "127.0.0.1:0"}
    if listen is not None:
        pair = site.pair("proxy.example")
        accept["tls"] = {"certificate": pair.certificate, "key": pair.key, **listen}
    file = RoutesFile(site.directory / "routes.yaml", {"workers": 1})
    file.write({"name": "main", "listen": accept, "backends": [backend], **others})
    return file.start(start_proxy)


def by_tls(site: Site, port: int, name: str) -> dict[str, Any]:
    """A backend that checks who the proxy is, and is checked."""
    shown = site.pair("proxy.example")
    tls = {"ca": site.ca, "name": name, "certificate": shown.certificate, "key": shown.key}
    return {"address": f"127.0.0.1:{port}", "tls": tls}


def exchange(near: socket.socket, far: socket.socket) -> None:
    """Send megabytes each way."""
    there, back = random_bytes(3 << 20, 1), random_bytes(3 << 20, 2)
    for source, target, data in ((near, far, there), (far, near, back)):
        sending = threading.Thread(target=source.sendall, args=(data,))
        sending.start()
        assert receive_exactly(target, len(data)) == data
        sending.join()


def end(server: socket.socket, client: ssl.SSLSocket) -> None:
    """Have one side close, and the other one say goodbye, too."""
    server.close()
    assert client.recv(1) == b""
    client.unwrap().close()


HAPROXY_IN_FRONT = """
frontend front
    bind 127.0.0.1:{port} ssl crt {certificate} ca-file {ca} verify optional alpn h2,http/1.1
    default_backend behind
backend behind
    server proxy 127.0.0.1:{proxy} ssl verify required ca-file {ca} crt {shown} \
sni str({name}) {words}
"""


def test_haproxy_in_front_tells_of_its_client(
    start_proxy: StartProxy, program: Program, site: Site
) -> None:
    """What its header has of TLS is logged, and reaches the next one."""
    with ExitStack() as stack:
        backend = stack.enter_context(Backend())
        listen = {"client_ca": site.ca, "clients": {"cn": "front.example"}}
        more = {"accept_proxy": "required", "trusted": "127.0.0.1"}
        proxy = start(start_proxy, site, listen, backend.address, **more)
        port, shown = free_port(), site.both("front.example")
        sections = HAPROXY_IN_FRONT.format(
            port=port,
            proxy=proxy.port,
            ca=site.ca,
            shown=shown,
            certificate=site.both("shop.example"),
            name="proxy.example",
            words="send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,ssl-cipher,authority",
        )
        stack.enter_context(haproxy_peer(program, site.directory, port, sections))
        context = site.client("client.example")
        context.set_alpn_protocols(["http/1.1"])
        client = stack.enter_context(connected(context, port, "shop.example"))
        name = "{}:{}".format(*client.getsockname())
        server = stack.enter_context(backend.accept())
        exchange(client, server)
        end(server, client)
        (line,) = proxy.log.wait("connection")
    assert (line["client"], line["tls"]["client_cn"]) == (name, "front.example")
    told = line["tlvs"]
    assert told["authority"] == "shop.example"
    assert (told["ssl"], told["ssl_verified"], told["ssl_cn"]) == (True, True, "client.example")
    assert told["ssl_version"] == "TLSv1.3"
    assert told["ssl_cipher"].startswith("TLS_")


def test_haproxy_in_front_does_not_believe_another_name(
    start_proxy: StartProxy, program: Program, site: Site
) -> None:
    """And the proxy lets in nobody who shows no certificate."""
    with Backend() as backend:
        proxy = start(start_proxy, site, {"client_ca": site.ca}, backend.address)
        port, shown = free_port(), site.both("front.example")
        sections = HAPROXY_IN_FRONT.replace(
            "verifyhost proxy.example", "verifyhost another"
        ).format(
            port=port,
            proxy=proxy.port,
            ca=site.ca,
            shown=shown,
            certificate=site.both("shop.example"),
            name="another.example",
            words="",
        )
        with (
            haproxy_peer(program, site.directory, port, sections),
            connected(site.client(), port, "shop.example") as client,
        ):
            assert is_ended(client)
        (line,) = proxy.log.wait("clients_refused")
        assert line["reason"] in {"client_tls_alert", "client_no_certificate"}


HAPROXY_BEHIND = """
frontend behind
    mode http
    bind 127.0.0.1:{port} accept-proxy ssl crt {certificate} ca-file {ca} verify required
    http-request return status 200 content-type text/plain lf-string \
"%[fc_pp_authority] %[src] %[ssl_c_s_dn(cn)] %[ssl_fc_sni] %[fc_rcvd_proxy]"
"""


def test_haproxy_behind_is_told_of_the_client(
    start_proxy: StartProxy, program: Program, site: Site
) -> None:
    """By a header in front of TLS: the server name is that of the client, not of the proxy."""
    port = free_port()
    certificate = site.both("behind.example")
    sections = HAPROXY_BEHIND.format(port=port, certificate=certificate, ca=site.ca)
    with haproxy_peer(program, site.directory, port, sections):
        backend = by_tls(site, port, "behind.example")
        proxy = start(start_proxy, site, {}, backend | {"send_proxy": "v2"})
        with (
            socket.create_connection(
                ("127.0.0.1", proxy.port), 20, source_address=("127.0.0.7", 0)
            ) as raw,
            site.client().wrap_socket(raw, server_hostname="proxy.example") as client,
        ):
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = receive_to_end(client)
    assert answer.partition(b"\r\n\r\n")[2] == (
        b"proxy.example 127.0.0.7 proxy.example behind.example 1"
    )


HAPROXY_BETWEEN = """
listen between
    bind 127.0.0.1:{port} ssl crt {certificate} ca-file {ca} verify required
    server origin {origin}
"""


def test_bytes_through_haproxy_behind(
    start_proxy: StartProxy, program: Program, site: Site
) -> None:
    port = free_port()
    certificate = site.both("behind.example")
    with Backend() as origin:
        sections = HAPROXY_BETWEEN.format(
            port=port, certificate=certificate, ca=site.ca, origin=origin.address
        )
        with haproxy_peer(program, site.directory, port, sections):
            proxy = start(start_proxy, site, {}, by_tls(site, port, "behind.example"))
            with (
                connected(site.client(), proxy.port, "proxy.example") as client,
                origin.accept() as server,
            ):
                exchange(client, server)
                end(server, client)
            assert proxy.log.wait("connection")[0]["reason"] == "closed"


NGINX_IN_FRONT = """
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate};
        proxy_pass 127.0.0.1:{proxy};
        proxy_ssl on;
        proxy_ssl_verify on;
        proxy_ssl_trusted_certificate {ca};
        proxy_ssl_name proxy.example;
        proxy_ssl_server_name on;
        proxy_ssl_certificate {shown};
        proxy_ssl_certificate_key {shown};
        proxy_ssl_protocols {version};
        proxy_protocol on;
    }}
"""


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_nginx_in_front(
    start_proxy: StartProxy, program: Program, site: Site, version: str
) -> None:
    with ExitStack() as stack:
        backend = stack.enter_context(Backend())
        listen = {"client_ca": site.ca, "clients": {"cn": "front.example"}}
        more = {"accept_proxy": "required", "trusted": "127.0.0.1"}
        proxy = start(start_proxy, site, listen, backend.address, **more)
        port, shown = free_port(), site.both("front.example")
        stream = NGINX_IN_FRONT.format(
            port=port,
            proxy=proxy.port,
            ca=site.ca,
            shown=shown,
            certificate=site.both("shop.example"),
            version=version,
        )
        stack.enter_context(nginx_with(program("nginx"), site.directory, port, stream=stream))
        client = stack.enter_context(connected(site.client(), port, "shop.example"))
        name = "{}:{}".format(*client.getsockname())
        server = stack.enter_context(backend.accept())
        exchange(client, server)
        with suppress(OSError):  # nginx answers no goodbye by one
            client.unwrap()
        assert server.recv(1) == b""
        server.close()
        (line,) = proxy.log.wait("connection")
        assert (line["client"], line["reason"]) == (name, "closed")
        assert (line["tls"]["client_cn"], line["tls"]["version"]) == ("front.example", version)
        assert line["server_name"] == "proxy.example"


NGINX_BEHIND = """
    server {{
        listen 127.0.0.1:{port} ssl proxy_protocol;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate};
        ssl_client_certificate {ca};
        ssl_verify_client on;
        ssl_protocols {version};
        {does};
    }}
"""


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("header", ["v1", "v2"])
def test_nginx_behind(
    start_proxy: StartProxy, program: Program, site: Site, version: str, header: str
) -> None:
    port = free_port()
    stream = NGINX_BEHIND.format(
        port=port,
        certificate=site.both("behind.example"),
        ca=site.ca,
        version=version,
        does='return "$proxy_protocol_addr $ssl_protocol $ssl_server_name $ssl_client_s_dn"',
    )
    with nginx_with(program("nginx"), site.directory, port, stream=stream):
        backend = by_tls(site, port, "behind.example")
        proxy = start(start_proxy, site, {}, backend | {"send_proxy": header})
        with (
            socket.create_connection(
                ("127.0.0.1", proxy.port), 20, source_address=("127.0.0.7", 0)
            ) as raw,
            site.client().wrap_socket(raw, server_hostname="proxy.example") as client,
        ):
            answer = receive_to_end(client).decode()
    assert answer.startswith(f"127.0.0.7 {version} behind.example CN=proxy.example,")


def test_bytes_through_nginx_behind(start_proxy: StartProxy, program: Program, site: Site) -> None:
    port = free_port()
    with Backend() as origin:
        stream = NGINX_BEHIND.format(
            port=port,
            certificate=site.both("behind.example"),
            ca=site.ca,
            version="TLSv1.3",
            does=f"proxy_pass {origin.address}",
        )
        with nginx_with(program("nginx"), site.directory, port, stream=stream):
            backend = by_tls(site, port, "behind.example") | {"send_proxy": "v1"}
            proxy = start(start_proxy, site, {}, backend)
            with (
                connected(site.client(), proxy.port, "proxy.example") as client,
                origin.accept() as server,
            ):
                exchange(client, server)
                end(server, client)
            assert proxy.log.wait("connection")[0]["reason"] == "closed"
