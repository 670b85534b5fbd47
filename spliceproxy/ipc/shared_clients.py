"""What each client of a route has of all workers together: connections, and a token bucket."""

from spliceproxy.ipc.client_areas import BUCKETS, CONNECTIONS
from spliceproxy.ipc.client_cells import ClientCells
from spliceproxy.ipc.shared_table import SharedTable

_NS = 1e9


class ClientConnections:
    """Counts the open connections of each client.

    Those of a client for whom no cell is left, as a worker has some ten thousand others at the same
    time, are counted by that worker alone.
    """

    def __init__(self, table: SharedTable, slot: int, route: str) -> None:
        self._route = route.encode()
        self._cells = ClientCells(table, slot, CONNECTIONS)
        self._open: dict[int, int] = {}  # in this worker

    def __len__(self) -> int:
        return len(self._open)

    def total(self, client: bytes) -> int:
        """Return how many connections a client has."""
        number = _hash(self._route, client)
        return self._open.get(number, 0) + sum(self._cells.others(number))

    def opened(self, client: bytes) -> None:
        """Count one more."""
        number = _hash(self._route, client)
        count = self._open[number] = self._open.get(number, 0) + 1
        self._cells.write(number, count)

    def closed(self, client: bytes) -> None:
        """Count one less."""
        number = _hash(self._route, client)
        count = self._open.pop(number) - 1
        if count:
            self._open[number] = count
        if count or self._cells.own(number):
            self._cells.write(number, count)


class ClientBuckets:
    """Keeps for each client when its token bucket is full again (`time.monotonic`).

    Of all times that workers have for a client the latest counts. Where a worker has no cell left
    for one more client, it forgets the one of eight whose bucket is full first.
    """

    def __init__(self, table: SharedTable, slot: int, route: str, rate: str) -> None:
        self._route = f"{route}\t{rate}".encode()  # at another rate all begin with a full one
        self._cells = ClientCells(table, slot, BUCKETS)

    def full_s(self, client: bytes) -> float:
        """Return when a client's bucket is full again, or was."""
        number = _hash(self._route, client)
        return max(self._cells.own(number), *self._cells.others(number), 0) / _NS

    def note(self, client: bytes, full_s: float) -> None:
        """Take note of when it will be full."""
        self._cells.write_over_least(_hash(self._route, client), round(full_s * _NS))


def _hash(route: bytes, client: bytes) -> int:
    """Return a number for a client that is the same in all processes of this proxy.

    Python hashes bytes with a key that is drawn at the start and that forked processes share
    (SipHash), so that nobody can have many clients meet in the same cells.
    """
    return hash(b"%s\t%s" % (route, client)) or 1
