"""An nginx that serves files, as the user that runs the tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port

from .servers import serving

# One process without a master: as root it stays root, and may read the test's directory.
CONFIGURATION = """
daemon off;
master_process off;
error_log stderr warn;
pid {directory}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_requests 1000000;
    sendfile on;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {root};
    }}
}}
"""


@contextmanager
def nginx(program: str, directory: Path) -> Iterator[tuple[int, Path]]:
    """Run nginx; yields its port and the directory whose files it serves."""
    root, port = directory / "root", free_port()
    root.mkdir()
    configuration = directory / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(directory=directory, root=root, port=port))
    argv = [program, "-p", str(directory), "-c", str(configuration)]
    with serving(argv, port, directory / "log"):
        yield port, root
