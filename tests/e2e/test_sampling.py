"""The same clients are sampled by all workers, after a reload, a restart, and on other machines."""

from pathlib import Path

import pytest

from .conftest import StartProxy
from .peers import Backend, connect_from
from .proxy_command import ProxyCommand
from .reloading import RoutesFile, reload, route, wait_for_generation

pytestmark = pytest.mark.e2e

SOURCES = [f"127.0.0.{number}" for number in range(2, 42)]
SECRET = "a-secret-of-some-length"


def sampled_by(proxy: ProxyCommand, backend: Backend) -> set[str]:
    """Connect twice from each source; returns those that were copied to the mirror."""
    before = len(proxy.log.all("connection"))
    for source in SOURCES * 2:
        with connect_from(source, proxy.port) as client:
            server = backend.accept()
            client.sendall(b"ping")
            server.close()
    lines = proxy.log.wait("connection", before + 2 * len(SOURCES))[before:]
    copied = [str(line["client"]).partition(":")[0] for line in lines if line["mirrors"]]
    assert all(copied.count(source) == 2 for source in copied)
    return set(copied)


def sample_anew(proxy: ProxyCommand, generation: int) -> None:
    """Reload; workers of before, which may still take a client, have ended then."""
    reload(proxy)
    wait_for_generation(proxy, generation)


def test_who_is_sampled(start_proxy: StartProxy, tmp_path: Path) -> None:
    file = RoutesFile(tmp_path / "routes.yaml", {"workers": 3, "hang_timeout": "0s"})
    with Backend() as backend:
        main = route("127.0.0.1:0", backend.address, mirrors=["null:?sample=50%"])
        file.write(main)
        first = file.start(start_proxy)
        own = sampled_by(first, backend)
        assert 5 < len(own) < 35
        file.write(main | {"mirrors": ["null:?sample=25%"]})
        sample_anew(first, 2)
        assert sampled_by(first, backend) < own
        file.write(main, sample_key=SECRET)
        sample_anew(first, 3)
        shared = sampled_by(first, backend)
        assert shared != own
        second = file.start(start_proxy)
        assert sampled_by(second, backend) == shared
        file.write(main)
        sample_anew(second, 2)
        assert sampled_by(second, backend) == own or second.log.all("sample_key_random")
    for proxy in (first, second):
        assert SECRET not in str(proxy.log.all())
