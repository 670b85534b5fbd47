"""System calls that send a file's pages or memory's, give them to a pipe, or look at pages.

The relay has no use for them; the companion programs show what they cost. As with `syscalls`,
callers reach them as attributes of this module, so that a test can put a fault there.
"""

import ctypes
import mmap
import os
import socket
from collections.abc import Sequence

from spliceproxy.kernel.syscalls import SPLICE_NONBLOCK

SPLICE_F_GIFT = 0x08
"""The caller will never touch the pages again, so that a later splice may take them for its own
(vmsplice(2)). Splice into a socket does not: it refers to them, with the flag or without."""

PAGE_BYTES = mmap.PAGESIZE

MS_ASYNC = 1
"""Of msync(2): nothing is started since Linux 2.6.19, the kernel writes in its own time."""
MS_SYNC = 4
"""Return when the pages are on the disk (linux/mman.h)."""

SO_ZEROCOPY, MSG_ZEROCOPY = 60, 0x4000000
"""asm-generic/socket.h, linux/socket.h; since Linux 4.14. Python does not name them."""

_ANCILLARY_BYTES = 128  # a struct sock_extended_err and an address (ip(7), IP_RECVERR), with room


class _IoVector(ctypes.Structure):
    """struct iovec of <bits/types/struct_iovec.h>."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _CacheRange(ctypes.Structure):
    """struct cachestat_range of <linux/mman.h>."""

    _fields_ = (("offset", ctypes.c_uint64), ("length", ctypes.c_uint64))


_CACHESTAT = 451  # the same number on every architecture but alpha (Linux 6.5)
_CACHESTAT_FIELDS = 5  # cached, dirty, writeback, evicted, recently evicted

_libc = ctypes.CDLL(None, use_errno=True)
_libc.vmsplice.argtypes = (
    ctypes.c_int,
    ctypes.POINTER(_IoVector),
    ctypes.c_size_t,
    ctypes.c_uint,
)
_libc.vmsplice.restype = ctypes.c_ssize_t
_libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)
_libc.mincore.restype = ctypes.c_int
_libc.msync.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_libc.msync.restype = ctypes.c_int

# sendfile(socket, file, offset, count) -> int: 0 at the file's end, which is not an error.
# EAGAIN has one meaning only, a full socket: the pipe inside is the kernel's own. A call is cut
# at 2 GiB less a page (sendfile(2)).
sendfile = os.sendfile


def vmsplice(
    pipe_fd: int, memory: mmap.mmap, offset: int, count: int, flags: int = SPLICE_NONBLOCK
) -> int:
    """Put references to pages of ``memory`` into a pipe; for how many bytes (vmsplice(2)).

    Nothing is copied, with SPLICE_F_GIFT or without. What is written to the memory afterwards is
    what the reader at the far end sees; unmapping it is safe, since the pipe holds the pages.

    Raises:
        OSError: as vmsplice(2); BlockingIOError when the pipe has no slot left, EFAULT when the
            memory maps a file that has shrunk.
    """
    return _vmsplice(pipe_fd, ((memory, offset, count),), flags)


def vmsplice_vector(
    pipe_fd: int, pieces: Sequence[tuple[mmap.mmap, int, int]], flags: int = SPLICE_NONBLOCK
) -> int:
    """Do what `vmsplice` does, for several pieces at once: (memory, offset, count) of each.

    A short count ends within a piece, or between two, where the pipe had no slot left.
    """
    return _vmsplice(pipe_fd, pieces, flags)


def _vmsplice(pipe_fd: int, pieces: Sequence[tuple[mmap.mmap, int, int]], flags: int) -> int:
    vectors = (_IoVector * len(pieces))(
        *(_IoVector(_address(*piece), piece[2]) for piece in pieces)
    )
    given: int = _libc.vmsplice(pipe_fd, vectors, len(pieces), flags)
    if given < 0:
        raise _last_error()
    return given


def send_zero_copy(sock: socket.SocketType, data: memoryview) -> int:
    """Hand a socket references to memory's pages; for how many bytes (MSG_ZEROCOPY, send(2)).

    The socket needs SO_ZEROCOPY. The memory must not be written to before a completion names the
    call (`read_error_queue`); the kernel numbers those calls that took something, from 0 on.

    Raises:
        OSError: as send(2); ENOBUFS where too many calls have no completion yet
            (net.core.optmem_max), or too much memory is held (RLIMIT_MEMLOCK).
    """
    return sock.send(data, socket.MSG_NOSIGNAL | MSG_ZEROCOPY)


def read_error_queue(sock: socket.socket) -> bytes:
    """Take the next struct sock_extended_err of <linux/errqueue.h> (MSG_ERRQUEUE, recv(2)).

    Raises:
        OSError: as recvmsg(2); BlockingIOError when there is none, for blocking sockets, too.
    """
    _data, ancillary, _flags, _address = sock.recvmsg(0, _ANCILLARY_BYTES, socket.MSG_ERRQUEUE)
    return ancillary[0][2] if ancillary else b""


def mincore(memory: mmap.mmap, offset: int, count: int) -> bytes:
    """One byte for each page of a range: its lowest bit says whether it is in memory (mincore(2)).

    For a mapped file that is the page cache, whether or not this process has touched the page.
    Since Linux 5.2 all pages look resident to a caller who neither owns the file nor may write it.
    ``offset`` is a multiple of the page size.

    Raises:
        OSError: as mincore(2).
    """
    pages = -(-count // PAGE_BYTES)
    found = ctypes.create_string_buffer(pages)
    if _libc.mincore(_address(memory, offset, count), count, found) < 0:
        raise _last_error()
    return found.raw


def msync(memory: mmap.mmap, offset: int, count: int, flags: int) -> None:
    """Have what was written to a shared map go to its file's disk (msync(2)).

    ``offset`` is a multiple of the page size. `mmap.flush` is this with MS_SYNC.

    Raises:
        OSError: as msync(2); EIO when the disk refuses.
    """
    if _libc.msync(_address(memory, offset, count), count, flags) < 0:
        raise _last_error()


def cached_pages(fd: int, offset: int, count: int) -> int:
    """How many pages of a file's range are in the page cache (cachestat, Linux 6.5).

    A page that is still being read from the disk counts too. Nothing is mapped and none is read.

    Raises:
        OSError: ENOSYS on an older kernel, EPERM for a file that is neither one's own nor writable
            (mm/filemap.c, can_do_cachestat), EOPNOTSUPP for huge pages.
    """
    found = (ctypes.c_uint64 * _CACHESTAT_FIELDS)()
    asked = _CacheRange(offset, count)
    status: int = _libc.syscall(
        ctypes.c_long(_CACHESTAT), ctypes.c_uint(fd), ctypes.byref(asked), found, ctypes.c_uint(0)
    )
    if status < 0:
        raise _last_error()
    return found[0]


def read_now(fd: int, memory: bytearray, offset: int) -> int | None:
    """Read what is in memory already; how much, None where the disk would be waited for.

    0 is the file's end. A page on its way from the disk is not there yet (RWF_NOWAIT, preadv2(2));
    asking for one that is not on its way makes the kernel read it ahead.

    Raises:
        OSError: as preadv2(2); EOPNOTSUPP where the file system cannot tell.
    """
    try:
        return os.preadv(fd, [memory], offset, os.RWF_NOWAIT)
    except BlockingIOError:
        return None


def _address(memory: mmap.mmap, offset: int, count: int) -> int:
    """Where a range of at least one byte starts; its memory must be writable.

    A file that is only read may be mapped with ACCESS_COPY. Nothing but the address leaves here:
    an exported buffer would keep the memory from being unmapped.
    """
    if offset < 0 or count < 1 or offset + count > len(memory):
        raise ValueError(f"{count} bytes at {offset} are not a part of {len(memory)}")
    return ctypes.addressof(ctypes.c_char.from_buffer(memory, offset))


def _last_error() -> OSError:
    errno = ctypes.get_errno()
    return OSError(errno, os.strerror(errno))
