"""Collects the JSON lines that the command writes, while it runs."""

import json
import threading
import time
from typing import IO, Any

Event = dict[str, Any]


class LogLines(threading.Thread):
    """Reads a stream to its end in a thread of its own; anyone may wait for a line."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._changed = threading.Condition()
        self._events: list[Event] = []
        self.unreadable: list[bytes] = []
        self.start()

    def run(self) -> None:
        for line in self._stream:
            try:
                event = json.loads(line)
            except ValueError:
                self.unreadable.append(line)
                continue
            with self._changed:
                self._events.append(event)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def all(self, name: str | None = None) -> list[Event]:
        with self._changed:
            return [event for event in self._events if name in (None, event["event"])]

    def wait(self, name: str, count: int = 1, timeout_s: float = 15) -> list[Event]:
        """Return the first `count` lines of that name, as soon as they are there."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            with self._changed:
                found = [event for event in self._events if event["event"] == name]
                if len(found) >= count:
                    return found[:count]
                left_s = deadline_s - time.monotonic()
                assert left_s > 0, f"{len(found)} of {count} lines {name!r} in {timeout_s:g} s"
                self._changed.wait(min(left_s, 1))
