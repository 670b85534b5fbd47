"""`exec:` mirrors, one process for each stream, whose end is the end of its input."""

from spliceproxy import reasons
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.command import Command, Commands
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
        self._command = Command(branch.settings, commands, self)

    def flush(self) -> None:
        """Write what the command takes now."""
        if not self._waits_for_room:
            self._write()

    def command_takes_more(self) -> None:
        """Write on."""
        self._waits_for_room = False
        self._write()

    def finish(self, *, clean: bool) -> None:
        """Close the command's input when the queue is empty."""
        self._finishing = True
        self.flush()

    def cut(self) -> None:
        """Kill the command; what it had still to do is lost."""
        self._cut = True
        self._branch.reason = self._branch.reason or "command_killed"
        self._command.kill()

    def command_ended(self, why: str) -> None:
        """Close the account."""
        branch = self._branch
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
            self._command.close_stdin()
