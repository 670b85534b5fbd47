"""An nginx, for files, for TLS or for whatever comes, as the user that runs the tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port

from .servers import serving

# One process without a master: as root it stays root, and may read the test's directory.
CONFIGURATION = """
{modules}
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
    {http}
}}
{stream}
"""
MODULES = "/usr/lib*/nginx/modules"

FILES = """
    sendfile on;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {root};
    }}
"""


@contextmanager
def nginx(program: str, directory: Path) -> Iterator[tuple[int, Path]]:
    """Run nginx; yields its port and the directory whose files it serves."""
    root, port = directory / "root", free_port()
    root.mkdir()
    with nginx_with(program, directory, port, http=FILES.format(port=port, root=root)):
        yield port, root


@contextmanager
def nginx_with(
    program: str, directory: Path, port: int, *, http: str = "", stream: str = ""
) -> Iterator[None]:
    """Run nginx with these servers, one of them at `port`, until the block ends."""
    found = sorted(Path("/").glob(f"{MODULES[1:]}/ngx_stream_module.so")) if stream else []
    configuration = directory / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(
            modules="".join(f"load_module {module};" for module in found[:1]),
            directory=directory,
            http=http,
            stream=stream and f"stream {{ {stream} }}",
        )
    )
    argv = [program, "-p", str(directory), "-c", str(configuration)]
    with serving(argv, port, directory / "log"):
        yield
