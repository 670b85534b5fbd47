"""A small authoritative name server on the loopback interface, whose answers its owner changes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from spliceproxy.settings.address import TcpAddress

Zone = dict[tuple[str, str], tuple[int, list[str]]]
"""By name and type: seconds that the answer is valid, and the records."""


class DnsServer:
    """Answers from its zone; a name that is not there does not exist."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.failing = False
        """Answer SERVFAIL."""
        self.asked: list[str] = []
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self.address = TcpAddress("127.0.0.1", self._sock.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", self._sock.getsockname())
        self._thread.join(10)
        self._sock.close()

    def _serve(self) -> None:
        while True:
            packet, peer = self._sock.recvfrom(4096)
            if not packet:
                return
            self._sock.sendto(self._answer(dns.message.from_wire(packet)).to_wire(), peer)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        (question,) = query.question
        name = question.name.to_text(omit_final_dot=True)
        self.asked.append(name)
        found = self.zone.get((name, dns.rdatatype.to_text(question.rdtype)))
        if self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif found is not None and found[1]:
            response.answer.append(
                dns.rrset.from_text(question.name, found[0], "IN", question.rdtype, *found[1])
            )
        elif not any(known == name for known, _ in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response


@contextmanager
def serving_dns(zone: Zone) -> Iterator[DnsServer]:
    server = DnsServer(zone)
    try:
        yield server
    finally:
        server.close()
