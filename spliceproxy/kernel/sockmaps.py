"""Which sockmaps the kernel has, by whose programs sockets are taken from splice(2) (bpf(2))."""

import ctypes
import errno
import os
import struct

_NUMBERS = {"x86_64": 321, "aarch64": 280}  # of bpf(2): asm/unistd_64.h, asm-generic/unistd.h
_MAP_GET_NEXT_ID, _MAP_GET_FD_BY_ID, _OBJ_GET_INFO_BY_FD = 12, 14, 15  # linux/bpf.h
_SOCKMAP, _SOCKHASH = 15, 18
_ATTRIBUTE_BYTES = 120  # of union bpf_attr; what is left out is 0
_INFO = struct.Struct("=6I16s")  # the beginning of struct bpf_map_info: type first, name last
MOST_LOOKED_AT = 4096

_libc = ctypes.CDLL(None, use_errno=True)


def find_sockmaps() -> list[str]:
    """Return the names of the sockmaps and sockhashes of the whole machine.

    Only the first `MOST_LOOKED_AT` maps of all kinds are looked at.

    Raises:
        OSError: as bpf(2): EPERM without CAP_SYS_ADMIN; ENOSYS where its number is not known.
    """
    found: list[str] = []
    number = 0
    for _ in range(MOST_LOOKED_AT):
        try:
            number = _next(number)
        except FileNotFoundError:
            break
        name = _name_of_sockmap(number)
        if name is not None:
            found.append(name)
    return found


def _next(number: int) -> int:
    attribute = _bpf(_MAP_GET_NEXT_ID, struct.pack("=I", number))[1]
    return int(struct.unpack_from("=I", attribute, 4)[0])


def _name_of_sockmap(number: int) -> str | None:
    try:
        fd, _ = _bpf(_MAP_GET_FD_BY_ID, struct.pack("=I", number))
    except FileNotFoundError:  # it has just gone
        return None
    try:
        info = ctypes.create_string_buffer(_INFO.size)
        _bpf(_OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", fd, _INFO.size, ctypes.addressof(info)))
    finally:
        os.close(fd)
    kind, *_, name = _INFO.unpack(info.raw)
    if kind not in (_SOCKMAP, _SOCKHASH):
        return None
    return name.rstrip(b"\0").decode(errors="replace") or f"id {number}"


def _bpf(command: int, attribute: bytes) -> tuple[int, bytes]:
    number = _NUMBERS.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    whole = ctypes.create_string_buffer(attribute, _ATTRIBUTE_BYTES)
    result: int = _libc.syscall(number, command, whole, _ATTRIBUTE_BYTES)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result, whole.raw
