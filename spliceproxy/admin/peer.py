"""Who is at the other end of an admin connection."""

import contextlib
import ipaddress
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import trio

from spliceproxy.kernel.addresses import name_peer

_PEER_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: SO_PEERCRED, unix(7)
_SO_PEERGROUPS = 59  # include/uapi/asm-generic/socket.h; not in Python's socket module
_MOST_GROUPS_BYTES = 1024  # what Python's getsockopt takes: 256 groups
_MOST_NAME = 100
_IPV6_SITE_BITS = 64  # one subscriber has all addresses of such a network


@dataclass(frozen=True, slots=True)
class Peer:
    """A client, as far as the kernel tells."""

    name: str
    """As logs name it: ``127.0.0.1:1234``, or ``uid=0 pid=77`` on a unix socket."""
    key: str
    """What it shares with those that may be the same somebody: an address, or a user."""
    uid: int | None = None
    """On a unix socket: of the process that has connected."""
    gids: frozenset[int] = frozenset()
    certificate: tuple[Mapping[str, Any], bytes] | None = None
    """By TLS: what it has shown, as `ssl` reads it and in DER; None: nothing."""

    def with_certificate(self, certificate: tuple[Mapping[str, Any], bytes] | None) -> "Peer":
        """Return the same with what it has shown, and that in its name."""
        if certificate is None:
            return self
        return replace(self, name=f"{self.name} {_call(certificate[0])}", certificate=certificate)


def find_peer(sock: trio.socket.SocketType) -> Peer:
    """Return who has connected.

    Raises:
        OSError: it has left already.
    """
    if sock.family != socket.AF_UNIX:
        address = sock.getpeername()
        return Peer(name_peer(address), _network(address[0]))
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
    pid, uid, gid = _PEER_CREDENTIALS.unpack(credentials)
    return Peer(f"uid={uid} pid={pid}", f"uid={uid}", uid, frozenset({gid, *_groups(sock)}))


def _call(certificate: Mapping[str, Any]) -> str:
    """Return what a certificate's owner is called: the common name, or else another."""
    subject = [pair for part in certificate.get("subject", ()) for pair in part]
    names = [f"cn={value}" for kind, value in subject if kind == "commonName"]
    names += [f"{kind.lower()}={value}" for kind, value in certificate.get("subjectAltName", ())]
    name = names[0] if names else "certificate without a name"
    return "".join(one if one.isprintable() else "?" for one in name[:_MOST_NAME])


def _network(host: str) -> str:
    """Return what strangers cannot have two of: all of loopback is one machine."""
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            site = ipaddress.ip_network((int(address), _IPV6_SITE_BITS), strict=False)
            return "loopback" if address.is_loopback else str(site)
        address = address.ipv4_mapped
    return "loopback" if address.is_loopback else str(address)


def _groups(sock: trio.socket.SocketType) -> tuple[int, ...]:
    """Return the supplementary groups; none where they are too many, or the kernel has no word."""
    with contextlib.suppress(OSError):
        found = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_GROUPS_BYTES)
        return struct.unpack(f"{len(found) // 4}I", found)
    return ()
