"""The settings of one proxy, complete and checked, whatever they were read from."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from spliceproxy.settings.address import Address, UnixAddress
from spliceproxy.settings.mirror import MirrorSettings

LogFormat = Literal["auto", "console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen, where to forward and copy to, and within which limits."""

    listen: tuple[Address, ...]
    backends: tuple[Address, ...]
    workers: int
    connect_timeout_s: float = 5.0
    idle_timeout_s: float = 3600.0
    drain_timeout_s: float = 30.0
    max_connections: int | None = None  # per worker; None: as many as the file limit allows
    tcp_user_timeout_s: float = 0.0  # 0: the kernel's own
    backlog: int = 4096
    splice: bool = True
    raise_nofile: bool = True
    mirrors: tuple[MirrorSettings, ...] = ()
    mirror_budget_bytes: int = 256 << 20  # per worker: how far all mirrors may lag together
    log_format: LogFormat = "auto"
    log_level: LogLevel = "info"


def usable_cpus() -> int:
    """Return how many CPUs this process may run on, which a container may have restricted."""
    return len(os.sched_getaffinity(0))


def find_duplicate(listen: Iterable[Address]) -> Address | None:
    """Return the first address that is listed twice; port 0 is another port each time."""
    seen: set[Address] = set()
    for address in listen:
        if address in seen and (isinstance(address, UnixAddress) or address.port != 0):
            return address
        seen.add(address)
    return None
