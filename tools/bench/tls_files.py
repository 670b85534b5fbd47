"""The certificate that all proxies of a run show: P-256, signed by itself."""

from dataclasses import dataclass
from pathlib import Path

from spliceproxy.tls.pem_file import PemError
from spliceproxy.tls.self_signed import make_self_signed
from tools.bench.errors import BenchError


@dataclass(frozen=True)
class TlsFiles:
    """Where the files are, in a directory of their own."""

    directory: Path

    @property
    def pem(self) -> Path:
        """The certificate and its key, in one file."""
        return self.directory / "both.pem"

    def make(self) -> None:
        """Write them, for the owner alone."""
        try:
            made = make_self_signed()
        except PemError as error:
            raise BenchError(str(error)) from None
        self.pem.touch(mode=0o600)
        self.pem.write_bytes(made.chain + made.key)
