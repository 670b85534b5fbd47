"""TLS passes through untouched, from openssl's server to curl."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ports import free_port

from .conftest import StartProxy
from .peers import random_bytes
from .servers import run, serving

pytestmark = pytest.mark.e2e


def test_a_file_over_tls(
    start_proxy: StartProxy, program: Callable[[str], str], tmp_path: Path
) -> None:
    openssl, port = program("openssl"), free_port()
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    argv = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    argv += ["-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    run([*argv, "-keyout", str(key), "-out", str(certificate)])
    content = b"HTTP/1.0 200 OK\r\n\r\n" + random_bytes(20 << 20)
    (tmp_path / "file").write_bytes(content)

    argv = [openssl, "s_server", "-quiet", "-HTTP", "-accept", f"127.0.0.1:{port}"]
    argv += ["-cert", str(certificate), "-key", str(key)]
    with serving(argv, port, tmp_path / "log", cwd=tmp_path):
        proxy = start_proxy("--backend", f"127.0.0.1:{port}")
        argv = [program("curl"), "--silent", "--show-error", "--fail", "--output", "copy"]
        argv += ["--cacert", str(certificate), "--resolve", f"localhost:{proxy.port}:127.0.0.1"]
        for _ in range(3):
            run([*argv, f"https://localhost:{proxy.port}/file"], cwd=tmp_path)
            assert (tmp_path / "copy").read_bytes() == content.partition(b"\r\n\r\n")[2]
