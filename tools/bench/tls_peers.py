"""The proxies that terminate TLS in front of a plain backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tools.bench import mirror_peers, peers, proxy_configs
from tools.bench.peers import Peer
from tools.bench.tls_files import TlsFiles

CAPTURE = "spliceproxy-capture"
HAPROXY, NGINX, STUNNEL = "haproxy", "nginx", "stunnel"
NOTES = (
    "all: one certificate (P-256), TLS 1.3 with TLS_AES_256_GCM_SHA384 and X25519, two tickets",
    "nginx: ssl_protocols TLSv1.2 TLSv1.3; by itself nginx 1.22 stays with 1.2",
    "stunnel: a thread for each connection, all on the one CPU",
    f"{CAPTURE}: `--mirror capture:DIR{mirror_peers.BLOCK}` takes the plaintext",
)


def built_in(command: Sequence[str], files: TlsFiles) -> dict[str, Peer]:
    """Return every peer; ratios are taken to the best that is not spliceproxy."""
    options = ("--tls-certificate", str(files.pem))
    all_peers = [
        peers.spliceproxy(command=command, options=options),
        replace(
            mirror_peers.capturing(CAPTURE, command, options),
            unfit_works=frozenset({"handshakes", "resumed", "idle"}),
            unfit_reason="a capture is compared where bytes are many",
        ),
        _other(HAPROXY, proxy_configs.haproxy_tls, files, ("haproxy", "-v"), "haproxy"),
        _other(NGINX, proxy_configs.nginx_tls, files, ("nginx", "-v"), "nginx libnginx-mod-stream"),
        _other(STUNNEL, proxy_configs.stunnel, files, ("stunnel4", "-version"), "stunnel4"),
    ]
    return {peer.name: peer for peer in all_peers}


def _other(
    name: str,
    command: Callable[[proxy_configs.Relay, Path], list[str]],
    files: TlsFiles,
    version_argv: tuple[str, ...],
    packages: str,
) -> Peer:
    def argv(relay: proxy_configs.Relay) -> list[str]:
        return command(relay, files.pem)

    return Peer(name, argv, version_argv, f"apt install {packages}", is_baseline=True)
