"""TLS sessions with their secrets, played in memory."""

import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


def make_certificate(openssl: str, directory: Path) -> Path:
    """A certificate and its key in one file."""
    path = directory / "both.pem"
    argv = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    argv += ["-nodes", "-subj", "/CN=localhost", "-keyout", str(path), "-out", str(path) + ".crt"]
    subprocess.run(argv, check=True, capture_output=True)
    with path.open("ab") as file:
        file.write(Path(f"{path}.crt").read_bytes())
    return path


@dataclass
class _Side:
    tls: ssl.SSLObject
    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO


class TlsSession:
    """A client and a server; all that they send is told piece by piece."""

    def __init__(self, certificate: Path, key_log: Path, version: ssl.TLSVersion) -> None:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate)
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        client.maximum_version = version
        client.keylog_filename = str(key_log)
        self._sides = {
            "request": self._side(client, server_side=False),
            "response": self._side(server, server_side=True),
        }

    @staticmethod
    def _side(context: ssl.SSLContext, *, server_side: bool) -> _Side:
        bios = ssl.MemoryBIO(), ssl.MemoryBIO()
        return _Side(context.wrap_bio(*bios, server_side=server_side), *bios)

    def talk(self, request: bytes, response: bytes) -> Iterator[tuple[str, bytes]]:
        """Shake hands, ask and answer; direction and bytes of each piece."""
        done = set[str]()
        while len(done) < 2:
            for direction, side in self._sides.items():
                try:
                    side.tls.do_handshake()
                    done.add(direction)
                except ssl.SSLWantReadError:
                    pass
                yield from self._flush(direction)
        for direction, data in (("request", request), ("response", response)):
            self._sides[direction].tls.write(data)
            yield from self._flush(direction)

    def _flush(self, direction: str) -> Iterator[tuple[str, bytes]]:
        (other,) = self._sides.keys() - {direction}
        if data := self._sides[direction].outgoing.read():
            self._sides[other].incoming.write(data)
            yield direction, data
