"""From a technique's name to a sender."""

from tools.companions.techniques.file_splice import SpliceSender
from tools.companions.techniques.mapped import MmapSender
from tools.companions.techniques.memory_splice import VmspliceSender
from tools.companions.techniques.read_write import ReadWriteSender
from tools.companions.techniques.send_file import SendfileSender
from tools.companions.techniques.sender import DEFAULT_BUFFER_BYTES, FileSender, Method


def open_sender(
    method: Method,
    file_fd: int,
    offset: int,
    length: int,
    *,
    buffer_bytes: int = DEFAULT_BUFFER_BYTES,
    gift: bool = False,
) -> FileSender:
    """Make what sends ``length`` bytes of a file, from ``offset`` on.

    ``buffer_bytes`` bounds a piece; where there is a pipe, it is the pipe's size. ``gift`` lets
    vmsplice set SPLICE_F_GIFT. The file stays open until the sender is closed.

    Raises:
        OSError: there is no memory, descriptor or pipe for it.
    """
    match method:
        case "readwrite":
            return ReadWriteSender(file_fd, offset, length, buffer_bytes)
        case "mmap":
            return MmapSender(file_fd, offset, length, buffer_bytes)
        case "sendfile":
            return SendfileSender(file_fd, offset, length, buffer_bytes)
        case "splice":
            return SpliceSender(file_fd, offset, length, buffer_bytes)
        case "vmsplice":
            return VmspliceSender(file_fd, offset, length, buffer_bytes, gift=gift)
