"""System calls that send a file's pages, give memory's pages to a pipe, or look at pages.

The relay has no use for them; the companion programs show what they cost. As with `syscalls`,
callers reach them as attributes of this module, so that a test can put a fault there.
"""

import ctypes
import mmap
import os

from spliceproxy.kernel.syscalls import SPLICE_NONBLOCK

SPLICE_F_GIFT = 0x08
"""The caller will never touch the pages again, so that a later splice may take them for its own
(vmsplice(2)). Splice into a socket does not: it refers to them, with the flag or without."""

PAGE_BYTES = mmap.PAGESIZE

MS_ASYNC = 1
"""Of msync(2): nothing is started since Linux 2.6.19, the kernel writes in its own time."""
MS_SYNC = 4
"""Return when the pages are on the disk (linux/mman.h)."""


class _IoVector(ctypes.Structure):
    """struct iovec of <bits/types/struct_iovec.h>."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


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
    vector = _IoVector(_address(memory, offset, count), count)
    given: int = _libc.vmsplice(pipe_fd, ctypes.byref(vector), 1, flags)
    if given < 0:
        raise _last_error()
    return given


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
