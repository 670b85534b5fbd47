"""The commands that docs/zero-copy-claims.md gives to watch zero-copy work as they are typed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs.commands import REPOSITORY
from tests.ports import free_port

PAGE = REPOSITORY / "docs" / "zero-copy-claims.md"
SECTION = PAGE.read_text().partition("\n## How to watch it\n")[2].partition("\n## ")[0]
PREPARATION = SECTION.partition("```sh\n")[2].partition("```")[0]
COMMANDS: list[str] = re.findall(r"^\| `(.*)` \| ", SECTION, re.M)
SHOWN = {  # by the commands' beginnings; the others need programs of root
    "strace -f -c": r"\d+ +\d+ +(\d+ +)?sendfile",
    "strace -f -e": r"splice\(\d+, \[0\], \d+, NULL, \d+, SPLICE_F_NONBLOCK\) = \d+",
    "grep ctxt_switches": r"voluntary_ctxt_switches:\s+\d+",
    "sh -c": r"rchar: \d+\nwchar: \d+",
    "ss -tim": r"notsent:\d+",
    "vmstat": r" cs .*\n( *\d+)+",
}
NOT_INSTALLED = ("perf ", "unshare ", "bpftrace ")
TIMEOUT_S = 40


def command(beginning: str) -> str:
    [found] = [typed for typed in COMMANDS if typed.startswith(beginning)]
    return found


class Shell:
    """Runs what the page shows, with ports of its own, beside what the page starts first."""

    def __init__(self, directory: Path) -> None:
        self._ports = {number: str(free_port()) for number in ("7008", "7009")}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin"
        self._environment = {**os.environ, "PATH": path, "PYTHONPATH": str(REPOSITORY)}
        self._directory = directory
        script = f"{self._ported(PREPARATION)}echo $SINK >sink; wait"
        self._prepared = subprocess.Popen(
            ["bash", "-c", script], cwd=directory, env=self._environment, start_new_session=True
        )

    def _ported(self, typed: str) -> str:
        return re.sub("7008|7009", lambda found: self._ports[found[0]], typed)

    def run(self, typed: str) -> str:
        """Return what the command says on both outputs."""
        sink = (self._directory / "sink").read_text().strip()
        outcome = subprocess.run(
            ["bash", "-c", f"SINK={sink}; {self._ported(typed)}"],
            cwd=self._directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
        )
        if "ptrace" in outcome.stdout and "not permitted" in outcome.stdout:
            pytest.skip("this machine allows no tracing")
        assert outcome.returncode == 0, outcome.stdout
        return outcome.stdout

    def wait_until_prepared(self) -> None:
        """Wait until the stalled connection is there, which the page starts last."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while not (self._directory / "sink").exists() or "ESTAB" not in self.run(command("ss ")):
            assert time.monotonic() < deadline_s, "nothing is prepared"
            time.sleep(0.1)

    def close(self) -> None:
        os.killpg(self._prepared.pid, signal.SIGKILL)
        self._prepared.wait()


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = Shell(tmp_path_factory.mktemp("watching"))
    try:
        yield shell
    finally:
        shell.close()


def test_each_command_is_tried_or_left_out_on_purpose() -> None:
    beginnings = (*SHOWN, *NOT_INSTALLED)
    assert [typed for typed in COMMANDS if not typed.startswith(beginnings)] == []
    assert all(command(beginning) for beginning in SHOWN)


@pytest.mark.parametrize("beginning", SHOWN)
def test_it_shows_what_the_page_says(
    beginning: str, shell: Shell, program: Callable[[str], str]
) -> None:
    program("ss")
    program(beginning.split()[0])
    shell.wait_until_prepared()
    shown = shell.run(command(beginning))
    assert re.search(SHOWN[beginning], shown), shown
