"""A shell in which commands are typed as they stand on a page."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from select import select

from tests.docs.commands import REPOSITORY
from tests.e2e.processes import children, is_alive, is_listening, wait_until
from tests.ports import free_port

from .page import Recipe, is_shown

TIMEOUT_S = 50
NOTHING: Mapping[str, int] = {}
DIRECTORY_ON_THE_PAGE = "/tmp/recipe"
_PORT_ON_THE_PAGE = re.compile(r"\b700\d\b")
_LISTENS = re.compile(r"(?:--listen|--port|-accept|http\.server) (\d+)")
_ROUTES_FILE = re.compile(r"--config (\S+)")
_PORT = re.compile(r":(\d{4,5})\b")


@dataclass(frozen=True)
class Typed:
    """A command that has been typed."""

    command: str
    at_ns: int
    status: int
    output: str
    """What it has written to both outputs by then."""
    log: Path
    """What it writes to them; it may go on in the background."""


class RecipeShell:
    """A bash; ports and the directory of the page become those of a test.

    Servers that a recipe starts in the background are waited for, as somebody who types would.
    """

    def __init__(self, directory: Path, *before: str, path: str) -> None:
        self.directory = directory
        self.typed: list[Typed] = []
        self._ports: dict[str, str] = {}
        self._statuses, statuses = os.pipe()
        environment = {name: text for name, text in os.environ.items() if "SPLICEPROXY" not in name}
        self._process = subprocess.Popen(
            [*before, "bash", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment | {"PATH": path, "LC_ALL": "C.UTF-8"},
            cwd=REPOSITORY,
            pass_fds=(statuses,),
            start_new_session=True,
        )
        os.close(statuses)
        self._write(f"set -m\nexec 9>&{statuses} {statuses}>&-\n")  # jobs that have names

    def here(self, text: str) -> str:
        """Return a text of the page with this shell's ports and directory."""
        text = _PORT_ON_THE_PAGE.sub(lambda found: self.port(found[0]), text)
        return text.replace(DIRECTORY_ON_THE_PAGE, str(self.directory))

    def port(self, on_the_page: str) -> str:
        """Return the port that stands for one of the page."""
        return self._ports.setdefault(on_the_page, str(free_port()))

    def type(self, command: str) -> Typed:
        """Run a command, or start it if it ends with &."""
        command = self.here(command)
        log = self.directory / f"typed-{len(self.typed)}.log"
        at_ns = time.time_ns()
        self._write(f'{{ {command}\n}} </dev/null >"{log}" 2>&1 9>&-; echo $? >&9\n')
        readable, _, _ = select([self._statuses], [], [], TIMEOUT_S)
        assert readable, f"{command}: nothing within {TIMEOUT_S} s: {log.read_text()}"
        status = os.read(self._statuses, 100)
        assert status, f"{command}: the shell has ended: {log.read_text()}"
        if command.endswith("&") and (port := _listens(command)):
            wait_until(lambda: is_listening(int(port[1])), TIMEOUT_S, f"{command}: it listens")
        done = Typed(command, at_ns, int(status), log.read_text(errors="replace"), log)
        self.typed.append(done)
        return done

    def follow(self, recipe: Recipe, expected: Mapping[str, int] = NOTHING) -> None:
        """Type all that a recipe has."""
        for block in range(len(recipe.blocks)):
            self.follow_block(recipe, block, expected)
        self.check_shown(recipe)

    def follow_block(
        self, recipe: Recipe, number: int, expected: Mapping[str, int] = NOTHING
    ) -> None:
        """Type one block; `expected` has other statuses than 0, by what a command begins with."""
        for command in recipe.blocks[number]:
            done = self.type(command)
            wanted = [status for begin, status in expected.items() if command.startswith(begin)]
            assert done.status == (wanted or [0])[0], f"{done.command}\n{done.output}"

    def check_shown(self, recipe: Recipe) -> None:
        """See that the output that the page shows has come."""
        output = "\n".join(each.log.read_text(errors="replace") for each in self.typed)
        missing = [line for line in recipe.shown if not is_shown(self.here(line), output)]
        assert not missing, output

    def outputs(self, begin: str) -> list[str]:
        """Return what commands have written that begin so."""
        return [each.output for each in self.typed if each.command.startswith(begin)]

    def logs(self, begin: str) -> list[str]:
        """Return what commands have written by now that begin so."""
        return [each.log.read_text() for each in self.typed if each.command.startswith(begin)]

    def _write(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def close(self) -> None:
        """End what has been started and is still there, and the shell."""
        started = [*_descendants(self._process.pid), *self._daemons()]
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in filter(is_alive, started):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            with suppress(AssertionError):
                wait_until(lambda: not any(map(is_alive, started)), 15, "all has ended")
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait(TIMEOUT_S)
        os.close(self._statuses)

    def _daemons(self) -> list[int]:
        """Return those that have left the shell: by the files that they keep their ids in."""
        return [int(path.read_text().split()[0]) for path in self.directory.glob("*/*.pid")]


def _listens(command: str) -> re.Match[str] | None:
    """Return the port that a command listens on; a routes file begins with it."""
    if file := _ROUTES_FILE.search(command):
        return _PORT.search(Path(file[1]).read_text())
    return _LISTENS.search(command)


def _descendants(pid: int) -> list[int]:
    found = []
    for child in children(pid):
        found += [child, *_descendants(child)]
    return found


def search_path(before: Path) -> str:
    """Return a PATH that has the command under test, and Debian's servers."""
    postgresql = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    own = Path(sys.executable).parent
    inherited = os.environ.get("PATH", "").split(os.pathsep)
    places = [before, own, *postgresql, *inherited, "/usr/sbin", "/sbin"]
    return os.pathsep.join(map(str, places))
