import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import spliceproxy
from spliceproxy.errors import StartProblem
from spliceproxy.observe.line_buffer import LineBuffer
from spliceproxy.observe.log_file import LogFile
from spliceproxy.observe.open_destination import open_destination
from spliceproxy.settings.log_destination import LogDestination

PROJECT = Path(spliceproxy.__file__).parent.parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def file(path: Path) -> Iterator[LogFile]:
    with closing(LogFile(str(path))) as file:
        yield file


def test_a_new_file_is_for_its_owner_and_group(path: Path) -> None:
    before = os.umask(0)
    try:
        LogFile(str(path)).close()
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o7777 == 0o640


def test_lines_go_behind_what_is_there(path: Path) -> None:
    path.write_bytes(b"older\n")
    with closing(LogFile(str(path))) as file:
        file.send(b"newer\n")
        path.write_bytes(b"")  # as logrotate's copytruncate does
        file.send(b"newest\n")
    assert path.read_bytes() == b"newest\n"


def test_a_renamed_file_is_left_when_it_is_opened_again(file: LogFile, path: Path) -> None:
    file.send(b"one\n")
    renamed = path.rename(path.with_name("log.1"))
    file.send(b"two\n")
    fd = file.fd
    os.close(file.reopen())
    file.send(b"three\n")
    assert (renamed.read_bytes(), path.read_bytes()) == (b"one\ntwo\n", b"three\n")
    assert file.fd == fd
    assert not os.get_inheritable(file.fd)


def test_what_cannot_be_opened_again_goes_on_as_it_was(file: LogFile, path: Path) -> None:
    renamed = path.rename(path.with_name("log.1"))
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        os.close(file.reopen())
    file.send(b"on\n")
    assert renamed.read_bytes() == b"on\n"


@pytest.mark.parametrize("reader", [True, False])
def test_a_fifo_is_no_log_file(path: Path, reader: bool) -> None:
    os.mkfifo(path)
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if reader else -1
    with pytest.raises(OSError, match="regular" if reader else "No such device"):
        LogFile(str(path))
    if reader:
        os.close(fd)


def test_a_closed_file_takes_nothing(path: Path) -> None:
    file = LogFile(str(path))
    file.close()
    file.close()
    os.close(file.reopen())
    with pytest.raises(OSError, match="Bad file"):
        file.send(b"line\n")


WRITING = """
import os, sys
from spliceproxy.observe.line_buffer import LineBuffer
from spliceproxy.observe.log_file import LogFile
file = LogFile(sys.argv[1])
who = os.fork() or os.fork()
buffer = LineBuffer(file)
for number in range(300):
    buffer.write(b"%d %d %s\\n" % (os.getpid(), number, b"x" * (number * 41 % 9000)))
    if number % 7 == 0:
        buffer.flush()
buffer.close(1)
if who:
    os.wait()
"""


def test_lines_of_several_processes_stay_whole(path: Path) -> None:
    subprocess.run([sys.executable, "-c", WRITING, path], check=True, cwd=PROJECT, timeout=50)
    numbers: dict[bytes, list[int]] = {}
    for line in path.read_bytes().splitlines():
        process, number, text = line.split(b" ")
        assert text == b"x" * (int(number) * 41 % 9000)
        numbers.setdefault(process, []).append(int(number))
    assert [*numbers.values()] == [list(range(300))] * 3


def test_a_full_disk_is_counted_and_told(tmp_path: Path) -> None:
    file = LogFile(str(tmp_path / "log"))
    buffer = LineBuffer(file)
    with Path("/dev/full").open("wb") as full:
        kept = os.dup(file.fd)
        os.dup2(full.fileno(), file.fd, inheritable=False)
    buffer.write(b"lost\n")
    assert buffer.flush()
    assert buffer.dropped_lines == 1
    os.dup2(kept, file.fd, inheritable=False)
    os.close(kept)
    assert buffer.close() == 0
    assert (tmp_path / "log").read_bytes() == b"log_lines_dropped count=1\n"


def test_a_link_is_no_log_file(path: Path) -> None:
    path.with_name("target").touch()
    path.symlink_to("target")
    with pytest.raises(OSError, match="symbolic links"):
        LogFile(str(path))


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="it is root that is abused")
SOMEBODY = 12345


@as_root
def test_root_does_not_log_where_somebody_else_can_redirect_it(path: Path) -> None:
    os.chown(path.parent, SOMEBODY, 0)
    with pytest.raises(StartProblem, match=f"{path.parent} belongs to user {SOMEBODY}.*; chown"):
        open_destination(LogDestination("file", str(path)))
    assert not path.exists()
    os.chown(path.parent, 0, 0)
    path.parent.chmod(0o777)
    with pytest.raises(OSError, match="others may write"):
        LogFile(str(path))
    path.parent.chmod(0o1777)
    LogFile(str(path)).close()


@as_root
def test_root_does_not_log_into_a_file_that_somebody_else_has_put_there(path: Path) -> None:
    path.touch()
    os.chown(path, SOMEBODY, 0)
    with pytest.raises(OSError, match=f"belongs to user {SOMEBODY}"):
        LogFile(str(path))
    os.chown(path, 0, 0)
    path.with_name("other").hardlink_to(path)
    with pytest.raises(OSError, match="hard link"):
        LogFile(str(path))
