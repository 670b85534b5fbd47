"""What becomes of each request of a connection: counted, and told to the access log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from tools.companions.origin.access_log import AccessLog
from tools.companions.origin.counts import Count, Row
from tools.companions.origin.delivery import StalledError
from tools.companions.origin.request import Request
from tools.companions.techniques.sender import FileShrunkError

COMPLETE = "complete"


class Ledger:
    """The account of one connection."""

    def __init__(self, peer: str, counts: Row, log: AccessLog | None) -> None:
        self.peer = peer
        self._counts = counts
        self._log = log
        counts[Count.CONNECTIONS] += 1

    @contextmanager
    def answering(
        self, request: Request | None, status: int, sent_bytes: Callable[[], int]
    ) -> Iterator[None]:
        """Record the answer that the block sends, however it ends."""
        began_s, before_bytes = time.monotonic(), sent_bytes()
        end = "cancelled"
        try:
            yield
            end = COMPLETE
        except StalledError:
            end = "stalled"
            raise
        except FileShrunkError:
            end = "file-shrunk"
            raise
        except OSError as error:
            end = (error.strerror or "gone").lower().replace(" ", "-")
            raise
        finally:
            self._record(request, status, sent_bytes() - before_bytes, began_s, end)

    def record_cached(self, target: bytes, sent_bytes: int, began_s: float) -> None:
        """Record an answer from memory that left in one call."""
        counts = self._counts
        counts[Count.REQUESTS] += 1
        counts[Count.CACHED_ANSWERS] += 1
        counts[Count.SENT_BYTES] += sent_bytes
        if self._log is not None:
            took_s = time.monotonic() - began_s
            request = Request("GET", target, {})
            self._log.write(self.peer, request, HTTPStatus.OK, sent_bytes, took_s, COMPLETE)

    def _record(
        self, request: Request | None, status: int, sent_bytes: int, began_s: float, end: str
    ) -> None:
        counts = self._counts
        counts[Count.REQUESTS] += 1
        counts[Count.SENT_BYTES] += sent_bytes
        counts[Count.REFUSED] += status >= HTTPStatus.BAD_REQUEST
        counts[Count.CUT] += end != COMPLETE
        if self._log is not None:
            took_s = time.monotonic() - began_s
            self._log.write(self.peer, request, status, sent_bytes, took_s, end)
