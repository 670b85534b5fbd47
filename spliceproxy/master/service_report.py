"""What the master tells the service manager: that it is ready, well, or on its way out."""

import time

from spliceproxy.ipc.rows import Kind, RouteCell, parse_row_name
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.ipc.worker_slots import WorkerSlots
from spliceproxy.master.generation import Generation
from spliceproxy.master.generations import Generations
from spliceproxy.observe.service_manager import ServiceManager

_STATUS_INTERVAL_S = 5.0


class ServiceReport:
    """Tells when there is something to tell, and from time to time that all is well."""

    def __init__(self, manager: ServiceManager, table: SharedTable, slots: WorkerSlots) -> None:
        self._manager = manager
        self._table = table
        self._slots = slots
        self._interval_s = _STATUS_INTERVAL_S
        if manager.watchdog_s is not None:
            # As sd_watchdog_enabled(3) advises: a late one is not a lost one.
            self._interval_s = min(self._interval_s, manager.watchdog_s / 2)
        self._stopping = False
        self.next_deadline_s: float | None = None

    def ready(self, generations: Generations, trouble: str = "") -> None:
        """Tell that the proxy serves."""
        status = self._status(generations)
        self._manager.ready(f"{status}; {trouble}" if trouble else status)
        if self._manager.listens and self.next_deadline_s is None:
            self.next_deadline_s = time.monotonic()

    def reloading(self) -> None:
        """Tell that a reload has begun."""
        self._manager.reloading()

    def stopping(self) -> None:
        """Tell that no connection should come any more."""
        self._stopping = True
        self._manager.stopping("draining")

    def tend(self, generations: Generations) -> None:
        """Tell that all is well, if it is time for that, and it is."""
        now_s = time.monotonic()
        if self.next_deadline_s is None or now_s < self.next_deadline_s:
            return
        self.next_deadline_s = now_s + self._interval_s
        if self._is_well(generations.current, now_s):
            self._manager.is_well()
        if not self._stopping:
            self._manager.tell(self._status(generations))

    def _is_well(self, current: Generation, now_s: float) -> bool:
        """Whether all workers that accept have been heard of within the watchdog's time.

        One that has died is none of them: it is replaced.
        """
        watchdog_s = self._manager.watchdog_s
        if watchdog_s is None:
            return False
        heard_s = [
            max(child.started_s, self._slots.heartbeat_s(child.slot))
            for child in current.workers.children
        ]
        return all(now_s - last_s < watchdog_s for last_s in heard_s)

    def _status(self, generations: Generations) -> str:
        current = generations.current
        connections = sum(
            row.values()[RouteCell.ACTIVE]
            for row in self._table.rows()
            if (name := parse_row_name(row.name)) is not None and name.kind == Kind.ROUTE
        )
        workers = len(current.workers.children)
        status = (
            f"generation {current.number}: {_count(len(current.routes), 'route')}, "
            f"{_count(connections, 'connection')}, {_count(workers, 'worker')}"
        )
        draining = sum(len(generation.workers.children) for generation in generations.ending)
        return f"{status}; {draining} of earlier generations" if draining else status


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
