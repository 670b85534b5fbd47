"""Idle connections: what one costs that is open, was used once, and says nothing."""

from dataclasses import dataclass

from tools.bench import memory, origins, process_tree
from tools.bench.errors import BenchError
from tools.bench.loads import idle_connections
from tools.bench.works.work import Metric, Sample, Setting, Work

DESCRIPTORS = Metric(
    "descriptors_per_connection", "descriptors each", "", decimals=2, comparison="ratio"
)
HOST_MEMORY = Metric("host_bytes_per_connection", "host memory each", "kB", scale=1e-3, decimals=1)
RESIDENT = Metric(
    "resident_bytes", "RSS of the process tree", "MB", scale=1e-6, decimals=1, comparison="ratio"
)

ATTEMPTS = 5
TOLERANCE = 0.1
SOCKET_TOLERANCE = 0.02


@dataclass(frozen=True)
class _Held:
    """What the connections take in the kernel, and what the proxy has while they are open."""

    kernel_bytes: int
    private_bytes: int
    resident_bytes: int
    descriptors: int


def _hold(setting: Setting, port: int, connections: int) -> _Held:
    """Open the connections, look, close them, and believe it if both ways give the same."""
    pid = setting.target.proxy_pid
    for _attempt in range(ATTEMPTS):
        with idle_connections.holding(port, setting.where, setting.directory) as holder:
            before = memory.kernel()
            holder.hold(connections)
            during = memory.kernel()
            held = _Held(
                during.slab_bytes - before.slab_bytes,
                memory.private_bytes(pid) if pid else 0,
                process_tree.resident_bytes(pid) if pid else 0,
                process_tree.open_descriptors(pid) if pid else 0,
            )
        after = memory.kernel()
        sockets = connections * (4 if pid is not None and port == setting.target.port else 2)
        if is_undisturbed(before, during, after, sockets):
            return held
    raise BenchError("other programs changed the kernel's memory at the same time")


def is_undisturbed(
    before: memory.Kernel, during: memory.Kernel, after: memory.Kernel, sockets: int
) -> bool:
    """Tell whether only our sockets came and went, as far as can be seen.

    Opening them must take what closing them gives back; TIME_WAIT keeps a few per cent.
    """
    taken = during.slab_bytes - before.slab_bytes
    given_back = during.slab_bytes - after.slab_bytes
    if taken <= 0 or abs(taken - given_back) > TOLERANCE * taken:
        return False
    if before.tcp_sockets is None or during.tcp_sockets is None:
        return True
    return abs(during.tcp_sockets - before.tcp_sockets - sockets) <= SOCKET_TOLERANCE * sockets


def work(connections: int) -> Work:
    def measure(setting: Setting) -> Sample:
        # The two sockets at the ends are there without a proxy too: they are not its cost.
        ends_bytes = _hold(setting, setting.origin.port, connections).kernel_bytes
        pid = setting.target.proxy_pid
        if pid is None:
            return {HOST_MEMORY.name: ends_bytes / connections}
        private_before = memory.private_bytes(pid)
        descriptors_before = process_tree.open_descriptors(pid)
        held = _hold(setting, setting.target.port, connections)
        grown_bytes = held.kernel_bytes - ends_bytes + held.private_bytes - private_before
        if grown_bytes <= 0:
            raise BenchError("implausible memory: other programs gave some back meanwhile")
        return {
            HOST_MEMORY.name: grown_bytes / connections,
            DESCRIPTORS.name: (held.descriptors - descriptors_before) / connections,
            RESIDENT.name: held.resident_bytes,
        }

    return Work(
        name="idle",
        title=f"{connections:,} idle connections",
        metrics=(HOST_MEMORY, DESCRIPTORS, RESIDENT),
        programs=(),
        start_origin=origins.pong,
        measure=measure,
    )
