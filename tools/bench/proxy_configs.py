"""Configuration of the other proxies: one thread, no logs, room for many connections."""

import re
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.bench import ports
from tools.bench.errors import BenchError

PIPES = 128  # HAProxy holds one only while bytes are in it
SPARE_DESCRIPTORS = 1 / 8  # of all: for pipes, listeners, logs, the same for every proxy


def most_connections() -> int:
    """Return how many relayed connections the limit on open files allows, up to 12,000."""
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return min(12_000, int(hard_limit * (1 - SPARE_DESCRIPTORS)) // 2)


HAPROXY = """\
global
  nbthread 1
  maxconn {max_connections}
  maxpipes {pipes}
  {tuning}
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  {splice}
listen relay
  bind {host}:{listen_port} backlog 4096 {tls}
  server origin {host}:{backend_port}
"""

SPLICE_ALWAYS = "option splice-request\n  option splice-response"

SPLICEPROXY_POOL = """\
workers: 1
log: {{level: warning}}
routes:
  - name: relay
    listen: "{host}:{listen_port}"
    backends: [{backends}]
    balance: least_connections
    health_check: tcp
"""

NGINX_STREAM = """\
{load_module}
daemon off;
worker_processes 1;
pid {directory}/nginx-stream.pid;
error_log {directory}/nginx-stream.log crit;
events {{ worker_connections {worker_connections}; }}
stream {{
  access_log off;
  server {{
    listen {host}:{listen_port} backlog=4096{tls};
    proxy_pass {host}:{backend_port};
    proxy_timeout 1h;
  }}
}}
"""


STUNNEL = """\
foreground = yes
pid =
debug = crit
[relay]
accept = {host}:{listen_port}
connect = {host}:{backend_port}
cert = {pem}
"""


@dataclass(frozen=True)
class Relay:
    """One listening port, one backend port, and a directory for configuration files."""

    listen_port: int
    backend_port: int
    directory: Path


def haproxy(relay: Relay) -> list[str]:
    """HAProxy splices everything, small messages too."""
    return _haproxy(relay, SPLICE_ALWAYS)


def haproxy_auto(relay: Relay) -> list[str]:
    """HAProxy decides itself when splicing pays."""
    return _haproxy(relay, "option splice-auto")


def haproxy_large_pipes(relay: Relay) -> list[str]:
    """HAProxy splices everything, through pipes of 1 MiB in place of 64 KiB."""
    return _haproxy(relay, SPLICE_ALWAYS, "tune.pipesize 1048576")


def haproxy_tls(relay: Relay, pem: Path) -> list[str]:
    """HAProxy that terminates TLS; its file has the certificate and the key."""
    return _haproxy(relay, "", tls=f"ssl crt {pem}")


def _haproxy(relay: Relay, splice: str, tuning: str = "", tls: str = "") -> list[str]:
    config = relay.directory / "haproxy.cfg"
    config.write_text(
        HAPROXY.format(
            host=ports.HOST,
            listen_port=relay.listen_port,
            backend_port=relay.backend_port,
            max_connections=most_connections(),
            pipes=PIPES,
            splice=splice,
            tuning=tuning,
            tls=tls,
        )
    )
    return ["haproxy", "-q", "-db", "-f", str(config)]


def nginx_stream(relay: Relay) -> list[str]:
    return _nginx_stream(relay)


def nginx_tls(relay: Relay, pem: Path) -> list[str]:
    """Terminate TLS; of itself nginx 1.22 speaks no TLS 1.3, as all others do."""
    files = f"ssl_certificate {pem}; ssl_certificate_key {pem}"
    return _nginx_stream(relay, f" ssl; ssl_protocols TLSv1.2 TLSv1.3; {files}")


def _nginx_stream(relay: Relay, tls: str = "") -> list[str]:
    config = relay.directory / "nginx-stream.conf"
    config.write_text(
        NGINX_STREAM.format(
            host=ports.HOST,
            listen_port=relay.listen_port,
            backend_port=relay.backend_port,
            directory=relay.directory,
            load_module=_load_stream_module(),
            tls=tls,
            # nginx counts both sides of a relayed connection.
            worker_connections=2 * most_connections() + 100,
        )
    )
    return ["nginx", "-c", str(config), "-p", str(relay.directory), "-e", "stderr"]


def _load_stream_module() -> str:
    """Return the directive that loads nginx's stream module, empty where it is built in."""
    build = subprocess.run(["nginx", "-V"], capture_output=True, text=True, check=False).stderr
    if re.search(r"--with-stream(\s|$)", build):
        return ""
    modules = re.search(r"--modules-path=(\S+)", build)
    module = Path(modules[1] if modules else "/usr/lib/nginx/modules") / "ngx_stream_module.so"
    if not module.exists():
        raise BenchError("nginx: no stream module (apt install libnginx-mod-stream)")
    return f"load_module {module};"


def stunnel(relay: Relay, pem: Path) -> list[str]:
    """Terminate TLS in a thread for each connection."""
    config = relay.directory / "stunnel.conf"
    config.write_text(
        STUNNEL.format(
            host=ports.HOST,
            listen_port=relay.listen_port,
            backend_port=relay.backend_port,
            pem=pem,
        )
    )
    return ["stunnel4", str(config)]


def socat(relay: Relay) -> list[str]:
    """Socat with a process per connection and the largest buffer that pays."""
    listen = f"TCP-LISTEN:{relay.listen_port},bind={ports.HOST},fork,reuseaddr,backlog=4096"
    return ["socat", "-b", "65536", listen, f"TCP:{ports.HOST}:{relay.backend_port},nodelay"]
