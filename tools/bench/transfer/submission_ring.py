"""A ring of io_uring(7): operations handed over, and waited for, by one system call.

By ctypes, since the wheel of liburing (2026.3) was built for processors with AVX-512 and ends the
process by SIGILL on all others. Who submits is who waits, without a thread of the kernel's that
polls: then io_uring_enter(2) itself orders what was stored before it and what is read after it, and
plain stores are enough.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from spliceproxy.kernel import io_uring
from tools.bench.errors import BenchError

# Of linux/io_uring.h, as is the layout of all that follows.
NOP, READ, SEND, RECEIVE, SPLICE, SEND_ZC = 0, 22, 26, 27, 30, 47
LINKED = 1 << 2  # IOSQE_IO_LINK: the next one starts when this one is complete
REPORT_USAGE = 1 << 3  # IORING_SEND_ZC_REPORT_USAGE
ANOTHER_FOLLOWS, IS_NOTIFICATION = 1 << 1, 1 << 3  # IORING_CQE_F_MORE, IORING_CQE_F_NOTIF
WAS_COPIED = 1 << 31  # IORING_NOTIF_USAGE_ZC_COPIED
NO_OFFSET = (1 << 64) - 1

_SQE, _CQE, _NUMBER = struct.Struct("=BBHiQQIIQHHiQQ"), struct.Struct("=QiI"), struct.Struct("=I")
_PARAMS = struct.Struct("=10I 10I 10I")
_ENTRIES_OFFSET = 0x10000000  # IORING_OFF_SQES; both rings are at 0 since Linux 5.4
_SINGLE_MMAP = 1
_SETTING = Path("/proc/sys") / io_uring.DISABLED_SETTING.replace(".", "/")


class Operation(NamedTuple):
    """One submission entry."""

    code: int
    fd: int
    address: int = 0
    """Of memory; of splice, the source's offset."""
    size_bytes: int = 0
    offset: int = 0
    flags: int = 0
    """What the system call of that name takes as flags."""
    source_fd: int = 0
    """Of splice; `fd` is where it goes."""
    options: int = 0
    """Of send_zc."""


class Completion(NamedTuple):
    """What came of an operation, which is named by its number within the submission."""

    number: int
    result: int
    """Bytes, or a negative errno."""
    flags: int


class SubmissionRing:
    """A ring of a few entries; everything submitted is complete when `run` returns."""

    def __init__(self, entries: int = 8) -> None:
        """Make it.

        Raises:
            BenchError: io_uring is not there, or not allowed; says whose refusal it is.
        """
        params = bytearray(io_uring.PARAMS_BYTES)
        try:
            self._fd = io_uring.setup(entries, params)
        except OSError as error:
            raise BenchError(io_uring.explain(error, _disabled())) from None
        numbers = _PARAMS.unpack(params)
        head, sent, received = numbers[:10], numbers[10:20], numbers[20:]
        if not head[5] & _SINGLE_MMAP:
            os.close(self._fd)
            raise BenchError("io_uring of this kernel is older than Linux 5.4")
        self._sent_tail, self._array = sent[1], sent[6]
        self._received_head, self._received_tail, self._completions = (
            received[0],
            received[1],
            received[5],
        )
        self._sent_mask, self._received_mask = head[0] - 1, head[1] - 1
        size = max(self._array + 4 * head[0], self._completions + _CQE.size * head[1])
        self._rings = mmap.mmap(self._fd, size)
        self._entries = mmap.mmap(self._fd, _SQE.size * head[0], offset=_ENTRIES_OFFSET)

    def close(self) -> None:
        self._entries.close()
        self._rings.close()
        os.close(self._fd)

    def run(
        self,
        operations: Sequence[Operation],
        *,
        linked: bool = False,
        waits_for_notifications: bool = True,
    ) -> list[Completion]:
        """Do these by one system call; all that is told of them, in the order of its arrival.

        `linked` starts each one when the one before is complete, with no byte missing: otherwise
        the rest is cancelled (ECANCELED). Whoever will not write to what is sent need not wait for
        notifications of send_zc: they come with later completions.
        """
        tail = self._load(self._sent_tail)
        last = len(operations) - 1
        for number, operation in enumerate(operations):
            slot = tail + number & self._sent_mask
            flags = LINKED if linked and number < last else 0
            self._write(slot, operation, flags, number)
            _NUMBER.pack_into(self._rings, self._array + 4 * slot, slot)
        _NUMBER.pack_into(self._rings, self._sent_tail, tail + len(operations) & 0xFFFFFFFF)
        io_uring.enter(self._fd, len(operations), len(operations))
        return self._collect(
            len(operations), ANOTHER_FOLLOWS if waits_for_notifications else IS_NOTIFICATION
        )

    def _write(self, slot: int, operation: Operation, flags: int, number: int) -> None:
        _SQE.pack_into(
            self._entries,
            slot * _SQE.size,
            operation.code,
            flags,
            operation.options,
            operation.fd,
            operation.offset,
            operation.address,
            operation.size_bytes,
            operation.flags,
            number,
            0,
            0,
            operation.source_fd,
            0,
            0,
        )

    def _collect(self, awaited: int, not_counted: int) -> list[Completion]:
        """Take completions until there were so many without a flag."""
        found: list[Completion] = []
        while True:
            head, tail = self._load(self._received_head), self._load(self._received_tail)
            while head != tail:
                place = self._completions + _CQE.size * (head & self._received_mask)
                found.append(Completion(*_CQE.unpack_from(self._rings, place)))
                awaited -= 0 if found[-1].flags & not_counted else 1
                head = head + 1 & 0xFFFFFFFF
            _NUMBER.pack_into(self._rings, self._received_head, head)
            if awaited <= 0:
                return found
            io_uring.enter(self._fd, 0, 1)

    def _load(self, place: int) -> int:
        (number,) = _NUMBER.unpack_from(self._rings, place)
        return int(number)


def address_of(memory: mmap.mmap | bytearray) -> int:
    """Return where writable memory starts; it must stay where it is until all is complete."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def taken(completion: Completion) -> int:
    """Return how much an operation moved.

    Raises:
        OSError: it failed; BlockingIOError where it would have had to wait.
    """
    if completion.result < 0:
        code = -completion.result
        raise OSError(code, f"{errno.errorcode.get(code, code)} of an operation of io_uring")
    return completion.result


def _disabled() -> int | None:
    try:
        return int(_SETTING.read_text())
    except (OSError, ValueError):
        return None
