"""`exec:` mirrors with ``scope=route``: one process of a worker that all streams go into.

The streams take turns, a whole chunk at a time. What a chunk holds is what arrived together: a
message that came in one piece is not cut in two by another stream's.
"""

from collections import deque

from spliceproxy import reasons
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.command import Command, Commands
from spliceproxy.sinks.outlet import Outlet

_RESTART_S = 1.0
_TURN_BYTES = 1 << 20


class SharedCommand:
    """The process, started for the first stream, and again for the next one after it has ended."""

    def __init__(self, settings: MirrorSettings, commands: Commands) -> None:
        self._settings = settings
        self._commands = commands
        self._reactor = commands.reactor
        self._writing = False
        self._command: Command | None = None
        self._outlets: dict[SharedCommandOutlet, None] = {}
        self._ready: deque[SharedCommandOutlet] = deque()
        self._not_before_s = 0.0
        self._waits_for_room = True

    def join(self, outlet: "SharedCommandOutlet") -> None:
        """Take part; the command is started if it does not run."""
        if self._command is None and self._reactor.now_s >= self._not_before_s:
            self._not_before_s = self._reactor.now_s + _RESTART_S
            self._waits_for_room = True
            self._command = Command(self._settings, self._commands, self)
        self._outlets[outlet] = None

    def leave(self, outlet: "SharedCommandOutlet") -> None:
        """Take part no more; a chunk that is written in part is another stream's damage."""
        self._outlets.pop(outlet, None)
        if outlet in self._ready:
            self._ready.remove(outlet)

    @property
    def runs(self) -> bool:
        """Whether there is a process, or will be."""
        return self._command is not None

    def wants_turn(self, outlet: "SharedCommandOutlet") -> None:
        """Something is queued."""
        if outlet not in self._ready:
            self._ready.append(outlet)
        if not self._waits_for_room and not self._writing:
            self._write()

    def command_takes_more(self) -> None:
        """Write on."""
        self._waits_for_room = False
        self._write()

    def _write(self) -> None:
        fd = self._command.stdin_fd if self._command is not None else None
        if fd is None:
            return
        self._writing = True
        try:
            self._take_turns(fd)
        except OSError as error:
            self._fail_all(reasons.name_error("command", error.errno or 0))
            if self._command is not None:
                self._command.kill()  # it may live on with its input closed
        finally:
            self._writing = False
        self._waits_for_room = bool(self._ready)
        if self._command is not None:
            self._command.watch(for_room=self._waits_for_room)

    def _take_turns(self, fd: int) -> None:
        left_bytes = _TURN_BYTES
        while self._ready and left_bytes > 0:
            outlet = self._ready[0]
            try:
                count, whole = outlet.write_chunk(fd)
            except BlockingIOError:
                return
            left_bytes -= count
            if whole and self._ready and self._ready[0] is outlet:
                self._ready.popleft()
                outlet.chunk_written()

    def command_ended(self, why: str) -> None:
        """All streams lose their mirror; the next connection gets a new process."""
        self._command = None
        self._fail_all(why or "command_ended")

    def _fail_all(self, why: str) -> None:
        for outlet in list(self._outlets):
            outlet.fail(why)

    def on_crash(self, error: Exception) -> None:
        """Give all branches up."""
        self._fail_all(f"internal_error: {error}")


class SharedCommandOutlet(Outlet):
    """One stream's turns at the shared command."""

    def __init__(self, branch: Branch, shared: SharedCommand) -> None:
        self._branch = branch
        self._shared = shared
        self._finishing = False
        shared.join(self)

    def flush(self) -> None:
        """Ask for a turn."""
        if self._shared.runs:
            self._shared.wants_turn(self)
        else:
            self.fail("command_not_running")

    def write_chunk(self, fd: int) -> tuple[int, bool]:
        """Write of the first chunk; how much, and whether that was all of it."""
        queue = self._branch.queue
        if not queue:
            return 0, True
        chunk = queue[0]
        count = chunk.write_to(fd)
        whole = not chunk.size
        if whole:
            queue.popleft().discard()
        self._branch.delivered(count)
        return count, whole

    def chunk_written(self) -> None:
        """The turn is over: ask for the next one, or end."""
        if self._branch.queue:
            self._shared.wants_turn(self)
        elif self._finishing:
            self.cut()

    def finish(self, *, clean: bool) -> None:
        """End when the queue is empty."""
        self._finishing = True
        if not self._branch.queue:
            self.cut()

    def fail(self, why: str) -> None:
        """The command is gone."""
        self._branch.fail(why)

    def cut(self) -> None:
        """Leave."""
        self._shared.leave(self)
        self._branch.closed()
