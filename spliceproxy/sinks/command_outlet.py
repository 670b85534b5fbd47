"""`exec:` mirrors, one process for each stream, whose end is the end of its input.

A vital stream is recorded when the command has read it to its last byte: what only waits in its
input is lost if it ends. What it does with the bytes then is its own; it is not waited for.
"""

from spliceproxy import reasons
from spliceproxy.loop.reactor import Reactor
from spliceproxy.loop.timers import Timer
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.command import LOOK_AGAIN_S, Command, Commands
from spliceproxy.sinks.command_environment import facts_of_stream
from spliceproxy.sinks.outlet import Outlet
from spliceproxy.sinks.write_queue import write_queue

_END_S = 60.0
"""How long a command may go on after the end of its input, say to upload what it has made."""


class CommandOutlet(Outlet):
    """Feeds a command of its own; the branch is over when the command has ended."""

    goodbye_s = _END_S

    def __init__(self, branch: Branch, commands: Commands) -> None:
        self._branch = branch
        self._finishing = False
        self._waits_for_room = True  # at first for the command's start
        self._cut = False
        self._reactor: Reactor = commands.reactor
        self._timer: Timer | None = None
        self._unread_bytes = 0
        facts = facts_of_stream(branch.facts(), branch.direction)
        self._command = Command(branch.settings, commands, self, facts)

    def start(self) -> None:
        """The command is on its way since the outlet was made."""

    def flush(self) -> None:
        """Write what the command takes now."""
        if not self._waits_for_room:
            self._write()

    def command_takes_more(self) -> None:
        """Write on."""
        self._waits_for_room = False
        self._branch.opened()
        self._write()

    def finish(self, *, clean: bool) -> None:
        """Close the command's input when the queue is empty."""
        self._finishing = True
        self.flush()

    def cut(self) -> None:
        """Kill the command; what it had still to do is lost."""
        self._cut = True
        self._stop_looking()
        self._branch.reason = self._branch.reason or "command_killed"
        self._command.kill()

    def command_ended(self, why: str) -> None:
        """Close the account."""
        branch = self._branch
        self._stop_looking()
        if branch.open or branch.queue:
            why = why or "command_ended"
        if not self._cut:
            branch.reason = branch.reason or why
        if branch.open or branch.queue:
            branch.fail(why)
        branch.closed()

    def on_crash(self, error: Exception) -> None:
        """Give the branch up."""
        self._branch.fail(f"internal_error: {error}")

    def _write(self) -> None:
        fd = self._command.stdin_fd
        if fd is None:
            return
        try:
            write_queue(self._branch, fd)
        except OSError as error:
            self._branch.fail(reasons.name_error("command", error.errno or 0))
            return
        self._waits_for_room = bool(self._branch.queue)
        self._command.watch(for_room=self._waits_for_room)
        if self._finishing and not self._branch.queue:
            self._end_input()

    def _end_input(self) -> None:
        """Close it, for a vital stream when all of it has been read."""
        if self._branch.vital and (unread_bytes := self._command.unread_bytes()):
            if unread_bytes != self._unread_bytes:
                self._unread_bytes = unread_bytes
                self._branch.progressed()
            if self._timer is None:
                self._timer = self._reactor.timers.after(LOOK_AGAIN_S, self)
            return
        self._command.close_stdin()
        self._branch.recorded()

    def on_deadline(self) -> None:
        """Look whether the command has read on."""
        self._timer = None
        self._write()

    def _stop_looking(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
