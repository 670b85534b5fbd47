"""In which order a backend's addresses are tried: good ones in turn, those that failed last."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from zlib import crc32

from spliceproxy.kernel.addresses import SocketAddress
from spliceproxy.policy.backoff import Backoff

AVOIDED = Backoff(first_s=5.0, longest_s=300.0)
"""How long an address that did not answer goes last; as for the ejection of a backend."""


@dataclass(slots=True)
class _Trouble:
    """An address that has not answered lately."""

    failures: int = 0
    until_s: float = 0.0
    on_trial: bool = False
    """Whether its time was over, and one connection has been let try it."""


class AddressOrder:
    """Remembers of each address of one backend whether it answers, in one worker."""

    __slots__ = ("_addresses", "_troubles", "_turn")

    def __init__(self) -> None:
        self._addresses: tuple[SocketAddress, ...] = ()
        self._troubles: dict[SocketAddress, _Trouble] = {}
        self._turn = 0

    def replace(self, addresses: Iterable[SocketAddress]) -> None:
        """Take over what the name stands for now; of an address that stays all is remembered."""
        self._addresses = tuple(addresses)
        known = self._troubles
        self._troubles = {each: known[each] for each in self._addresses if each in known}

    def take(self, now_s: float, client: bytes) -> Sequence[SocketAddress]:
        """Return the order for a connection.

        Each good address comes first in its turn, or always the same one for a client that is
        given. Whether one that has failed is back, a single connection finds out.
        """
        good, bad = self._sort(now_s)
        if not good:
            return bad
        start = _index_for(client, good) if client else self._turn % len(good)
        self._turn += 1
        good = alternate_families(good[start:] + good[:start])
        trouble = self._troubles.get(good[0])
        if trouble is not None:
            trouble.on_trial = True
            trouble.until_s = now_s + AVOIDED.first_s
        return good + bad

    def look(self, now_s: float) -> Sequence[SocketAddress]:
        """Return the order for a check, which takes nobody's turn."""
        good, bad = self._sort(now_s)
        return good + bad

    def _sort(self, now_s: float) -> tuple[list[SocketAddress], list[SocketAddress]]:
        troubles = self._troubles
        if not troubles:
            return list(self._addresses), []
        bad = [each for each in self._addresses if each in troubles]
        bad = [each for each in bad if now_s < troubles[each].until_s]
        bad.sort(key=lambda each: troubles[each].until_s)
        return [each for each in self._addresses if each not in bad], bad

    def failed(self, address: SocketAddress, now_s: float) -> None:
        """Let an address that did not answer go last for a while, longer each time in a row."""
        if address not in self._addresses:
            return  # its name stands for others by now
        trouble = self._troubles.setdefault(address, _Trouble())
        if now_s < trouble.until_s and not trouble.on_trial:
            return  # those that fail together count once
        trouble.on_trial = False
        trouble.failures += 1
        trouble.until_s = now_s + AVOIDED.delay_s(trouble.failures)

    def answered(self, address: SocketAddress) -> None:
        """Forget that it ever failed."""
        self._troubles.pop(address, None)


def alternate_families(addresses: Collection[SocketAddress]) -> list[SocketAddress]:
    """Return IPv6 and IPv4 addresses by turns, beginning with the first one (RFC 8305, 4)."""
    first = next(iter(addresses)).family
    own = [each for each in addresses if each.family == first]
    other = [each for each in addresses if each.family != first]
    return [each for each in chain(*zip_longest(own, other)) if each is not None]


def _index_for(client: bytes, addresses: Sequence[SocketAddress]) -> int:
    """Choose by rendezvous hashing: when one goes, only its clients move."""
    seed = crc32(client)
    return max(range(len(addresses)), key=lambda at: crc32(addresses[at].name.encode(), seed))
