"""How large pipes may be, and how many of the full size this user gets."""

import errno
from collections.abc import Iterator
from contextlib import ExitStack, closing

from spliceproxy.doctor.finding import Finding, Value, fail, ok, warn
from spliceproxy.doctor.machine import Machine
from spliceproxy.kernel.limits import raised_file_limit
from spliceproxy.kernel.pipes import FULL_CAPACITY_BYTES, Pipe

MOST_TRIED = 1024
"""Each one costs the kernel 10 KiB of slots while it is open (256 of 40 bytes)."""

_SLOTS = FULL_CAPACITY_BYTES // 4096  # each counts as a page of the quotas
_OTHER_PAGES = 1024  # for 64 small pipes that the same user has: 16 pages each
_SOFT, _HARD = "fs.pipe-user-pages-soft", "fs.pipe-user-pages-hard"


def check_pipes(machine: Machine, wanted: int) -> Iterator[Finding]:
    """Look at the largest size, and open as many full-size pipes as the workers may want."""
    yield check_size(machine.sysctl_number("fs.pipe-max-size"))
    sizes, end = open_pipes(min(wanted, MOST_TRIED))
    yield judge_pipes(machine, wanted, sizes, end)


def check_size(most_bytes: int | None) -> Finding:
    """Compare the size that a user may ask for with the one that is wanted."""
    if most_bytes is None:
        return ok("pipes.max_size", "fs.pipe-max-size cannot be read here")
    fact = f"a pipe may have {most_bytes >> 10} KiB (fs.pipe-max-size)"
    if most_bytes >= FULL_CAPACITY_BYTES:
        return ok("pipes.max_size", fact, max_bytes=most_bytes)
    return warn(
        "pipes.max_size",
        f"{fact}; with less than 1024 KiB bulk transfers are slower",
        f"sysctl -w fs.pipe-max-size={FULL_CAPACITY_BYTES}",
        max_bytes=most_bytes,
    )


def describe_default(machine: Machine) -> Iterator[Finding]:
    """Tell how large a new pipe is, and how many pages of pipes a user may have (pipe(7)).

    Nothing where no pipe can be had: `judge_pipes` says so.
    """
    quotas = {name: machine.sysctl_number(name) for name in (_SOFT, _HARD)}
    try:
        with closing(Pipe(0)) as pipe:
            default_bytes = pipe.capacity_bytes
    except OSError:
        return
    told = [f"{name} is {pages or 'off'}" for name, pages in quotas.items() if pages is not None]
    yield ok(
        "pipes.default_size",
        "; ".join([f"a new pipe has {default_bytes >> 10} KiB", ", ".join(told)]).rstrip("; "),
        default_bytes=default_bytes,
        user_pages_soft=quotas[_SOFT],
        user_pages_hard=quotas[_HARD],
    )


def open_pipes(count: int) -> tuple[list[int], OSError | None]:
    """Open so many pipes at once and close them; what size each got, and why there were no more.

    It ends with the first that is smaller: from there on others of this user's would be, too.
    """
    sizes: list[int] = []
    with raised_file_limit(0), ExitStack() as stack:
        while len(sizes) < count:
            try:
                pipe = stack.enter_context(closing(Pipe(FULL_CAPACITY_BYTES)))
            except OSError as error:  # EMFILE, ENFILE: limits on files, and the hard quota
                return sizes, error
            sizes.append(pipe.capacity_bytes)
            if pipe.capacity_bytes < FULL_CAPACITY_BYTES:
                break
    return sizes, None


def judge_pipes(machine: Machine, wanted: int, sizes: list[int], end: OSError | None) -> Finding:
    """Return what the sizes of pipes that were open at once mean."""
    full = sum(size >= FULL_CAPACITY_BYTES for size in sizes)
    values: dict[str, Value] = {
        "wanted": wanted,
        "tried": len(sizes),
        "full_size": full,
        "user_pages_soft": machine.sysctl_number(_SOFT),
        "user_pages_hard": machine.sysctl_number(_HARD),
    }
    remedy = "raise the limit on open files (ulimit -n, LimitNOFILE= of systemd)"
    if end is None or end.errno != errno.EMFILE:
        remedy = raise_quotas(machine, wanted * _SLOTS + _OTHER_PAGES)
    if end is not None and not sizes:
        fact = f"no pipe can be had ({end.strerror}); connections are copied through the process"
        return fail("pipes.full_size", fact, remedy, **values)
    if full == min(wanted, MOST_TRIED):
        fact = f"{full} pipes of 1 MiB at once, of {wanted} that the workers may want"
        return ok("pipes.full_size", fact, **values)
    then = "smaller ones, and slower bulk transfers" if end is None else f"none ({end.strerror})"
    fact = f"{full} pipes of 1 MiB at once, of {wanted} that the workers may want, then {then}"
    return warn("pipes.full_size", fact, remedy, **values)


def raise_quotas(machine: Machine, pages: int) -> str:
    """Return how to allow one user so many pages of pipes; 0 means no quota (pipe(7))."""
    low = [name for name in (_SOFT, _HARD) if 0 < (machine.sysctl_number(name) or 0) < pages]
    if not low:
        return f"other processes of this user hold pipes: set {_SOFT} higher than {pages}"
    where = " on the host" if machine.container() else ""
    return "sysctl -w " + " ".join(f"{name}={pages}" for name in low) + where
