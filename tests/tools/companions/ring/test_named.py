"""Two programs meet at a name, and no name outlives them."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.tools.companions.programs import REPOSITORY, TIMEOUT_S, command
from tools.companions.ring import named
from tools.companions.ring.counters import require_ordered_stores
from tools.companions.ring.errors import RingError

CONTENT = os.urandom(3_000_001)
OTHER = {"read": "write", "write": "read"}
AWAITED = {"read": "writer", "write": "reader"}

End = subprocess.Popen[bytes]


@pytest.fixture
def name() -> Iterator[str]:
    try:
        require_ordered_stores()
    except RingError as error:
        pytest.skip(str(error))
    made = f"test-{uuid4().hex}"
    yield made
    left = named.path_of(made)
    is_left = left.exists()
    left.unlink(missing_ok=True)
    assert not is_left


@contextmanager
def started(what: str, name: str, *arguments: object) -> Iterator[End]:
    """Start an end whose streams are pipes."""
    with subprocess.Popen(
        command(f"ring.{what}", [name, *arguments]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=REPOSITORY,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def waiting(what: str, name: str, *arguments: object) -> Iterator[End]:
    """Start an end, and go on when it waits for the other."""
    with started(what, name, *arguments) as process:
        expected = f"{named.path_of(name)}: waiting for a {AWAITED[what]}\n"
        assert error_line(process) == expected
        yield process


def error_line(process: End) -> str:
    assert process.stderr is not None
    return process.stderr.readline().decode()


def end(process: End, given: bytes | None = None) -> tuple[bytes, str]:
    output, errors = process.communicate(given, timeout=TIMEOUT_S)
    assert b"Traceback" not in errors
    return output, errors.decode()


def publish(writer: End, data: bytes) -> None:
    assert writer.stdin is not None
    writer.stdin.write(data)
    writer.stdin.flush()


def take(reader: End, count: int) -> bytes:
    assert reader.stdout is not None
    return reader.stdout.read(count)


@pytest.mark.parametrize("first", ["read", "write"])
def test_every_byte_passes_whoever_comes_first(name: str, first: str) -> None:
    with waiting(first, name, "--ring", 64) as one, started(OTHER[first], name) as other:
        reader, writer = (one, other) if first == "read" else (other, one)
        publish(writer, CONTENT[:1000])
        assert take(reader, 1000) == CONTENT[:1000]
        assert not named.path_of(name).exists()  # while both still run
        assert writer.stdin is not None
        writer.stdin.close()
        output, told = end(reader)
        assert (output, reader.returncode) == (b"", 0)
        assert f"{name}: 1,000 bytes, " in told
        assert writer.wait(TIMEOUT_S) == 0


def test_more_than_the_ring_holds(name: str) -> None:
    with waiting("write", name, "--ring", 64) as writer, started("read", name) as reader:
        writing = threading.Thread(target=end, args=(writer, CONTENT))
        writing.start()
        output, _told = end(reader)
        writing.join()
    assert output == CONTENT


def test_a_writer_that_has_come_and_gone_is_read_to_its_end(name: str) -> None:
    with waiting("read", name) as reader:
        reader.send_signal(signal.SIGSTOP)
        with started("write", name) as writer:
            end(writer, CONTENT[:1000])
            assert writer.returncode == 0
        reader.send_signal(signal.SIGCONT)
        output, _told = end(reader)
    assert (output, reader.returncode) == (CONTENT[:1000], 0)


def test_a_writer_that_is_killed_is_told_of_behind_its_bytes(name: str) -> None:
    with waiting("read", name) as reader, started("write", name) as writer:
        publish(writer, b"published")
        assert take(reader, 9) == b"published"
        writer.kill()
        output, told = end(reader)
    assert (output, reader.returncode) == (b"", 1)
    assert told == (
        "Error: the writer died: all 9 bytes that it had published were read, "
        "the rest of its stream is missing\n"
    )


def test_a_reader_that_is_killed_is_told_of(name: str) -> None:
    with waiting("write", name, "--ring", 64) as writer, started("read", name) as reader:
        publish(writer, b"taken")
        assert take(reader, 5) == b"taken"
        reader.kill()
        reader.wait(TIMEOUT_S)
        _output, told = end(writer, CONTENT)
    assert (told, writer.returncode) == ("Error: the reader closed the ring or died\n", 1)


@pytest.mark.parametrize("killed", ["read", "write"])
def test_what_a_killed_end_has_left_is_made_anew(name: str, killed: str) -> None:
    with waiting(killed, name) as process:
        process.kill()
    assert named.path_of(name).exists()
    with started("read", name) as reader:
        assert error_line(reader) == (
            f"{named.path_of(name)}: left by a process that was killed while it waited; made anew\n"
        )
        assert "waiting for a writer" in error_line(reader)
        with started("write", name) as writer:
            end(writer, b"new")
        assert end(reader)[0] == b"new"


def test_an_end_that_is_there_already_is_named(name: str) -> None:
    with waiting("write", name) as writer, started("write", name) as second:
        _output, told = end(second)
        assert second.returncode == 1
        assert told == (
            f"Error: {named.path_of(name)}: another writer is there, process {writer.pid}; "
            "take another name\n"
        )
        writer.send_signal(signal.SIGINT)
        end(writer)
        assert writer.returncode == 1


def test_an_end_that_waits_too_long_takes_its_name_along(name: str) -> None:
    with waiting("read", name, "--timeout", 0.1) as reader:
        _output, told = end(reader)
    assert (told, reader.returncode) == ("Error: the other end did nothing for 0.1 s\n", 1)


def test_a_link_is_not_followed(name: str, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"content")
    named.path_of(name).symlink_to(target)
    with started("read", name) as reader:
        _output, told = end(reader)
    named.path_of(name).unlink()
    assert told == f"Error: {named.path_of(name)}: Too many levels of symbolic links\n"
    assert target.read_bytes() == b"content"


@pytest.mark.parametrize("wrong", ["", "../up", "a/b", "a b", "x" * 65, "\u00e9"])
def test_what_is_no_name(wrong: str) -> None:
    with pytest.raises(RingError, match="is no name"):
        named.path_of(wrong)
