"""An authority that takes certificates back, which trustme's can't."""

import subprocess
from pathlib import Path


class RevokingAuthority:
    """An authority that revokes: openssl's own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        (directory / "index.txt").touch()
        (directory / "crlnumber").write_text("01")
        (directory / "ca.cnf").write_text(
            "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\nnew_certs_dir = .\ncrlnumber = "
            "crlnumber\nrand_serial = yes\ndefault_md = sha256\npolicy = p\ndefault_days = 2\n"
            "default_crl_days = 2\ncertificate = ca.pem\nprivate_key = ca.key\n[p]\n"
            "commonName = supplied\n"
        )
        own = ["req", "-x509", "-subj", "/CN=ca", "-days", "2"]
        self._run(*own, *self._new_key("ca"), "-out", "ca.pem")

    def path(self, name: str) -> str:
        return str(self._directory / name)

    def issue(self, name: str) -> None:
        self._run("req", "-subj", f"/CN={name}", *self._new_key(name), "-out", f"{name}.csr")
        ca = ("ca", "-batch", "-config", "ca.cnf")
        self._run(*ca, "-in", f"{name}.csr", "-out", f"{name}.pem", "-notext")
        Path(self.path(f"{name}.key")).chmod(0o600)

    def revoke(self, name: str) -> None:
        self._run("ca", "-config", "ca.cnf", "-revoke", f"{name}.pem")
        self._run("ca", "-config", "ca.cnf", "-gencrl", "-out", "crl.pem")

    def _new_key(self, name: str) -> list[str]:
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout"]
        return [*new, f"{name}.key"]

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            ["openssl", *arguments], cwd=self._directory, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
