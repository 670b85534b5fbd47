"""How many streams to attached mirrors a worker has descriptors for.

They have what connections leave over. Nothing of that is kept for a single attachment, whose
connections are left out when it is used up; but for one with ``overflow=block`` it is, since a
connection without a record would pass unseen.
"""

from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.mirrors import count_descriptors
from spliceproxy.sinks.stream_limit import StreamLimit


class NoRoomForStreamsError(Exception):
    """A mirror whose streams would have no descriptors; the text says why, and what to do."""


class AttachmentLimit:
    """Divides a worker's spare descriptors."""

    def __init__(self, descriptors: int) -> None:
        self._descriptors = max(0, descriptors)
        self._shared = StreamLimit(self._descriptors)

    def find_room(self, mirror: MirrorSettings, connections: int, *, one: bool) -> StreamLimit:
        """Return the limit for a mirror of a route with so many connections, or of one of them.

        Raises:
            NoRoomForStreamsError: there is none, or not for all of them though all are needed.
        """
        if not self._descriptors:
            raise NoRoomForStreamsError(
                "connections may use all descriptors: set max_connections, or raise the file limit"
            )
        needed, left = connections * count_descriptors([mirror]), max(0, self._shared.left)
        if one and needed > left:
            raise NoRoomForStreamsError(
                f"the copies need {needed} descriptors, and {left} are left: detach another mirror"
            )
        if mirror.is_vital:
            if needed > left:
                raise NoRoomForStreamsError(
                    f"overflow=block needs {needed} descriptors in each worker for the "
                    f"{connections} connections that there may be, and {left} are left: lower the "
                    "route's max_connections, raise the file limit, or attach with another overflow"
                )
            self._shared.most -= needed
            return StreamLimit(needed)
        return self._shared

    def give_back(self, limit: StreamLimit) -> None:
        """Take back what was found for a mirror that is over."""
        if limit is not self._shared:
            self._shared.most += limit.most
