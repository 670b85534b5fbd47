"""How a worker's file limit is shared out among connections and the cache of maps."""

from dataclasses import dataclass

# Standard streams, log, listeners, Trio's epoll set and wakeup sockets, a listing while it is made.
_OTHER_DESCRIPTORS = 32
_SOCKET_AND_FILE = 2
_ENDS_OF_A_PIPE = 2
_PIPED = ("splice", "vmsplice")


@dataclass(frozen=True, slots=True)
class Shares:
    """How many a worker may have of each."""

    connections: int
    maps: int


def share_out(limit: int, method: str, *, connections: int, maps: int) -> Shares:
    """Return what a file limit allows of the connections and maps that are wanted; at least one.

    A map holds a descriptor of its own: the mmap module keeps a duplicate of the file's, so that
    it can be resized. Maps get half at most, since a connection without a descriptor for its file
    is refused, and a file without a map is only mapped again.
    """
    left = max(0, limit - _OTHER_DESCRIPTORS)
    is_mapped = method == "mmap"
    kept_maps = min(maps, left // 2) if is_mapped else maps
    each = _SOCKET_AND_FILE + (_ENDS_OF_A_PIPE if method in _PIPED else 0) + is_mapped
    fitting = (left - kept_maps * is_mapped) // each
    return Shares(max(1, min(connections, fitting)), max(1, kept_maps))
