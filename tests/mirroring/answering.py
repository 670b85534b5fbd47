"""A mirror whose answers are recorded, played by a test, and what the capture has of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spliceproxy.capture
from spliceproxy.capture import Connection, Data, Event, with_requests
from tests.mirroring.mirrored import LOCALHOST, Mirrored, mirrored
from tests.proxy.peer import Acceptor
from tests.proxy.relay import eventually
from tests.streams import KERNEL_CHOICE


@dataclass
class Answered:
    """A proxy with a capture, and a shadow."""

    proxied: Mirrored
    shadow: Acceptor
    directory: Path
    scheme: str

    @property
    def mirror(self) -> str:
        return f"{self.scheme}://{LOCALHOST}:{self.shadow.address[1]}"

    async def answered(self, count: int) -> None:
        """Wait until so many bytes of all answers have come to be recorded."""
        await eventually(lambda: self._answered_bytes() >= count)

    def _answered_bytes(self) -> int:
        return sum(
            branch.answers.offered_bytes
            for session in self.proxied.worker.sessions
            if session.mirrors is not None
            for _, branch in session.mirrors.branches
            if branch.answers is not None
        )

    async def account(self) -> dict[str, Any]:
        """What became of the answers."""
        answers = (await self.proxied.account(of=self.scheme))["answers"]
        whole = answers["recorded_bytes"] + answers["lost_bytes"]
        assert answers["offered_bytes"] == whole
        assert answers["queued_bytes"] == 0
        assert bool(answers["reason"]) == bool(answers["lost_bytes"])
        [status] = [
            one
            for route in self.proxied.proxy.status().routes
            for one in route.mirrors
            if one.name == self.mirror
        ]
        assert status.answer_bytes == status.answer_recorded_bytes + status.answer_lost_bytes
        assert status.answer_bytes == answers["offered_bytes"]
        return dict(answers)


@asynccontextmanager
async def answering(
    directory: Path,
    options: str = "",
    capture: str = "",
    *,
    is_first: bool = False,
    scheme: str = "tcp",
    **limits: Any,
) -> AsyncIterator[Answered]:
    """Serve; `is_first`: the shadow is named before the capture."""
    shadow = Acceptor((LOCALHOST, 0), KERNEL_CHOICE, 16)
    to = f"{scheme}://{LOCALHOST}:{shadow.address[1]}?answers=capture:{directory}{options}"
    texts = [to, f"capture:{directory}{capture}"]
    try:
        async with mirrored(*(texts if is_first else texts[::-1]), **limits) as proxied:
            yield Answered(proxied, shadow, directory, scheme)
    finally:
        shadow.close()


def recorded(directory: Path) -> tuple[Connection, Connection]:
    """The only connection, and that of its shadow."""
    capture = spliceproxy.capture.open(directory)
    found = list(capture.connections())
    assert capture.unreadable == []
    assert len(found) == 2
    own, shadow = sorted(found, key=lambda one: bool(one.mirror))
    assert not own.mirror
    assert shadow.facts["mirror_of"] == str(own.id)
    return own, shadow


def dialogue(directory: Path, connection: Connection) -> list[tuple[str, int, bytes]]:
    """What was said, with what a shadow was sent."""
    events: list[Event] = list(with_requests(spliceproxy.capture.open(directory).events()))
    return [
        (event.direction, event.offset, event.data)
        for event in events
        if event.connection == connection.id and isinstance(event, Data)
    ]
