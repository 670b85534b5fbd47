"""A number for each client from each worker, in memory that all workers read.

A client has one of eight cells, by a hash; where all eight are in use, it depends on the user what
becomes of one more client.
"""

from spliceproxy.ipc.client_areas import WAYS, AreaPart
from spliceproxy.ipc.shared_table import SharedTable


class ClientCells:
    """One number for each client in this worker's area, and what the others have in theirs.

    A client is known by a hash that is not 0, and that no client can foresee.
    """

    def __init__(self, table: SharedTable, slot: int, part: AreaPart) -> None:
        self._areas = table.client_areas
        self._part = part
        self._most = part.clients // WAYS - 1
        self._slots = table.slots
        self._slot = slot
        self._own = self._areas.part(slot, part)
        self._others: list[memoryview] = []
        self._seen = 0

    def own(self, client: int) -> int:
        """Return this worker's number for a client; 0 if it has none."""
        return _find(self._own, self._at(client), client)

    def others(self, client: int) -> list[int]:
        """Return the numbers that other workers have for a client, or 0."""
        if self._slots[0] > self._seen:
            self._look(self._slots[0])
        at = self._at(client)
        return [_find(cells, at, client) for cells in self._others]

    def _look(self, slots: int) -> None:
        """See the areas of so many slots."""
        others = (slot for slot in range(self._seen, slots) if slot != self._slot)
        self._others += [self._areas.part(slot, self._part) for slot in others]
        self._seen = slots

    def write(self, client: int, number: int) -> bool:
        """Give a client its number, if it has a cell or one that is 0 is left for it."""
        cells, at = self._own, self._at(client)
        keys = cells[at : at + WAYS].tolist()
        if client in keys:
            cells[at + WAYS + keys.index(client)] = number
            return True
        numbers = cells[at + WAYS : at + 2 * WAYS].tolist()
        if 0 not in numbers:
            return False
        self._put(at, numbers.index(0), client, number)
        return True

    def write_over_least(self, client: int, number: int) -> None:
        """Give a client its number, in place of the least one if it has no cell."""
        cells, at = self._own, self._at(client)
        keys = cells[at : at + WAYS].tolist()
        if client in keys:
            cells[at + WAYS + keys.index(client)] = number
        else:
            numbers = cells[at + WAYS : at + 2 * WAYS].tolist()
            self._put(at, numbers.index(min(numbers)), client, number)

    def _put(self, at: int, way: int, client: int, number: int) -> None:
        cells = self._own
        cells[at + WAYS + way] = 0  # never one client's number under another one's name
        cells[at + way] = client
        cells[at + WAYS + way] = number

    def _at(self, client: int) -> int:
        return (client & self._most) * 2 * WAYS


def _find(cells: memoryview, at: int, client: int) -> int:
    keys = cells[at : at + WAYS].tolist()
    if client not in keys:
        return 0
    way = at + keys.index(client)
    number: int = cells[way + WAYS]
    return number if cells[way] == client else 0  # it was given to another one meanwhile
