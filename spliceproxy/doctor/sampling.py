"""Whether samples of clients are the same after a restart."""

from collections.abc import Iterator

from spliceproxy.doctor.finding import Finding, ok, warn
from spliceproxy.doctor.machine import Machine
from spliceproxy.kernel.machine_id import MACHINE_ID, parse_machine_id
from spliceproxy.master.sample_keys import find_sampling
from spliceproxy.settings.proxy import Settings


def check_sampling(machine: Machine, settings: Settings | None) -> Iterator[Finding]:
    """Say where the key comes from that samples are drawn with, if there are any."""
    if settings is None or not find_sampling(settings.routes):
        return
    if settings.sample_key is not None:
        yield ok("mirrors.sample_key", "samples are drawn with the key of the settings", key="set")
    elif parse_machine_id(machine.read(str(MACHINE_ID)) or "") is not None:
        fact = "samples are drawn with a key of this machine; other machines sample other clients"
        yield ok("mirrors.sample_key", fact, key="machine")
    else:
        yield warn(
            "mirrors.sample_key",
            f"no id of this machine in {MACHINE_ID}: each start samples other clients",
            "set sample_key, or make an id: systemd-machine-id-setup",
            key="random",
        )
