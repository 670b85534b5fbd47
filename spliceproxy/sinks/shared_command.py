"""`exec:` mirrors with ``scope=route``: one process of a worker that all streams go into.

The streams take turns, a whole chunk at a time. What a chunk holds is what arrived together: a
message that came in one piece is not cut in two by another stream's.

A vital stream is recorded when the process has read as much as had been written to it by all
streams when that one's last chunk was.
"""

from collections import deque

from spliceproxy import reasons
from spliceproxy.loop.timers import Timer
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.command import LOOK_AGAIN_S, Command, Commands
from spliceproxy.sinks.command_environment import facts_of_route
from spliceproxy.sinks.outlet import Outlet

_RESTART_S = 1.0
_TURN_BYTES = 1 << 20


class SharedCommand:
    """The process, started for the first stream, and again for the next one after it has ended."""

    def __init__(self, settings: MirrorSettings, commands: Commands, route: str) -> None:
        self._settings = settings
        self._facts = facts_of_route(route, settings.direction)
        self._commands = commands
        self._reactor = commands.reactor
        self._writing = False
        self._command: Command | None = None
        self._outlets: dict[SharedCommandOutlet, None] = {}
        self._ready: deque[SharedCommandOutlet] = deque()
        self._not_before_s = 0.0
        self._waits_for_room = True
        self.written_bytes = 0
        """To the process that runs, by all streams."""
        self._read_bytes = 0
        self._unread: deque[tuple[int, SharedCommandOutlet]] = deque()
        """Who waits until so much has been read, in this order."""
        self._timer: Timer | None = None

    def join(self, outlet: "SharedCommandOutlet") -> None:
        """Take part; the command is started if it does not run."""
        if self._command is None and self._reactor.now_s >= self._not_before_s:
            self._not_before_s = self._reactor.now_s + _RESTART_S
            self._waits_for_room = True
            self.written_bytes = self._read_bytes = 0
            self._command = Command(self._settings, self._commands, self, self._facts)
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

    @property
    def is_open(self) -> bool:
        """Whether the process takes bytes."""
        return self._command is not None and self._command.stdin_fd is not None

    def wants_turn(self, outlet: "SharedCommandOutlet") -> None:
        """Something is queued."""
        if outlet not in self._ready:
            self._ready.append(outlet)
        if not self._waits_for_room and not self._writing:
            self._write()

    def command_takes_more(self) -> None:
        """Write on."""
        self._waits_for_room = False
        for outlet in list(self._outlets):
            outlet.opened()
        self._write()

    def tell_when_read(self, outlet: "SharedCommandOutlet") -> None:
        """Call `SharedCommandOutlet.was_read` when the process has read what is written now."""
        self._unread.append((self.written_bytes, outlet))
        if self._timer is None:
            self.on_deadline()

    def on_deadline(self) -> None:
        """Look how much the process has read."""
        self._timer = None
        command = self._command
        if command is None or command.stdin_fd is None:
            return  # the streams are told of its end
        before_bytes, self._read_bytes = (
            self._read_bytes,
            self.written_bytes - command.unread_bytes(),
        )
        while self._unread and self._unread[0][0] <= self._read_bytes:
            self._unread.popleft()[1].was_read()
        if self._read_bytes > before_bytes:
            for _, outlet in self._unread:
                outlet.progressed()
        if self._unread and self._timer is None:
            self._timer = self._reactor.timers.after(LOOK_AGAIN_S, self)

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
        self._unread.clear()
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

    def start(self) -> None:
        """Begin, if the process runs."""
        if self._shared.is_open:
            self.opened()
        elif self._branch.vital and not self._shared.runs:
            self.fail("command_not_running")

    def opened(self) -> None:
        """The process takes bytes."""
        self._branch.opened()

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
        self._shared.written_bytes += count
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
            self._end()

    def finish(self, *, clean: bool) -> None:
        """End when the queue is empty."""
        self._finishing = True
        if not self._branch.queue:
            self._end()

    def _end(self) -> None:
        if self._branch.vital:
            self._shared.tell_when_read(self)
        else:
            self.cut()

    def progressed(self) -> None:
        """The process has read on."""
        self._branch.progressed()

    def was_read(self) -> None:
        """The process has read the whole stream."""
        if not self._branch.over:
            self._branch.recorded()
            self.cut()

    def fail(self, why: str) -> None:
        """The command is gone."""
        self._branch.fail(why)

    def cut(self) -> None:
        """Leave."""
        self._shared.leave(self)
        self._branch.closed()
