"""Which CPUs the proxy and its load run on."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Placement:
    """The CPUs of the proxy, and those of everything else; None leaves it to the scheduler."""

    proxy_cpus: frozenset[int] | None = None
    load_cpus: frozenset[int] | None = None

    @classmethod
    def pinned(cls) -> Placement:
        """Give the proxy the last CPU for itself and the load all the others."""
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) < 2:
            return cls()
        return cls(proxy_cpus=frozenset(cpus[-1:]), load_cpus=frozenset(cpus[:-1]))

    def describe(self) -> str:
        if self.proxy_cpus is None or self.load_cpus is None:
            return "not pinned: the scheduler places proxy and load"
        return (
            f"proxy on CPU {_list(self.proxy_cpus)}, load and origin on CPU {_list(self.load_cpus)}"
        )


def _list(cpus: frozenset[int]) -> str:
    return ",".join(str(cpu) for cpu in sorted(cpus))


def taskset(cpus: frozenset[int] | None) -> list[str]:
    """Return the command prefix that starts a program, and all it forks, on these CPUs."""
    return [] if cpus is None else ["taskset", "--cpu-list", _list(cpus)]
