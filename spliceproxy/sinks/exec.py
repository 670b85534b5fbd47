"""`exec:` mirrors: commands that are fed, one for each stream or one for all."""

import os
import shutil
from pathlib import Path

from spliceproxy.errors import UsageProblem, quote
from spliceproxy.loop.reactor import Reactor
from spliceproxy.settings.mirror import MirrorSettings
from spliceproxy.sinks.branch import Branch
from spliceproxy.sinks.command import Commands
from spliceproxy.sinks.command_environment import base_environment, missing_variable
from spliceproxy.sinks.command_outlet import CommandOutlet
from spliceproxy.sinks.complaints import MirrorComplaints
from spliceproxy.sinks.disk import Disk
from spliceproxy.sinks.outlet import NoOutlet, Outlet
from spliceproxy.sinks.shared_command import SharedCommand, SharedCommandOutlet
from spliceproxy.sinks.sink import Medium, MirrorPeer, Sink


class ExecSink(Sink):
    """Has the commands; with ``scope=route`` there is one, started for the first stream."""

    descriptors = 3
    own_descriptors = 3  # of the one command of `scope=route`
    medium = Medium.PIPE
    calls = (*Sink.calls, "pidfd_open")

    def __init__(
        self, settings: MirrorSettings, reactor: Reactor, disk: Disk, peer: MirrorPeer | None
    ) -> None:
        super().__init__(settings, reactor, disk, peer)
        reactor.expect_forks()
        self._commands = Commands(
            reactor,
            disk,
            base_environment(settings.own.variables),
            MirrorComplaints(reactor, settings.text),
        )
        self._shared: SharedCommand | None = None

    @classmethod
    def check(cls, settings: MirrorSettings) -> None:
        """Refuse a program that cannot be executed."""
        missing = missing_variable(settings.own.variables)
        if missing is not None:
            raise UsageProblem(
                f"mirror {quote(settings.text)}: the environment variable {quote(missing)} is not "
                "set",
                "set it, or leave it out of 'env'",
            )
        program = settings.command[0]
        search = base_environment(settings.own.variables).get("PATH")
        if shutil.which(program, path=search) is not None:
            return
        if os.sep not in program:
            what, remedy = "is not in PATH", "install it, or write the path of the program"
        elif Path(program).is_file():
            what, remedy = "is not executable", "allow it with chmod +x"
        else:
            what, remedy = "is not a file that exists", "expected the path of a program"
        # What the text does not hold has come from a variable, and is not to be shown.
        named = f"program {quote(program)}" if program in settings.text else "its program"
        raise UsageProblem(f"mirror {quote(settings.text)}: {named} {what}", remedy)

    def make_outlet(self, branch: Branch, name: str) -> Outlet:
        """See `Sink.make_outlet`."""
        if self.settings.scope == "connection":
            if len(self._commands.live) >= self.settings.own.max_processes:
                return NoOutlet(branch)
            return CommandOutlet(branch, self._commands)
        if self._shared is None:
            route = branch.facts().route
            self._shared = SharedCommand(self.settings, self._commands, route)
        return SharedCommandOutlet(branch, self._shared)

    @property
    def is_busy(self) -> bool:
        """Whether a command runs."""
        return bool(self._commands.live)

    def close(self) -> None:
        """End the commands that run still."""
        self._commands.close()
