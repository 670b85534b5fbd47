"""Whether io_uring(7) is there and allowed: the proxy does without, measurements try it."""

import errno
import os
from collections.abc import Iterator

from spliceproxy.doctor.finding import Finding, ok
from spliceproxy.doctor.kills import killed_by
from spliceproxy.doctor.machine import Machine
from spliceproxy.kernel import io_uring

_CHECK = "uring.setup"
_UNUSED = "the proxy does not use it"


def check_io_uring(machine: Machine) -> Iterator[Finding]:
    """Make a ring, and let go of it."""
    disabled = machine.sysctl_number(io_uring.DISABLED_SETTING)
    # As with the calls that move bytes: a filter may kill whoever makes this one.
    if machine.filters_calls() and (killer := killed_by(_make_and_close)):
        yield ok(
            _CHECK,
            f"not tried; io_uring_setup(2) ends the process by {killer.name}; {_UNUSED}",
            signal=killer.name,
            disabled=disabled,
        )
        return
    try:
        _make_and_close()
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, str(error))
        fact = f"{io_uring.explain(error, disabled)}; {_UNUSED}"
        yield ok(_CHECK, fact, errno=name, disabled=disabled)
    else:
        yield ok(_CHECK, f"is there, and allowed; {_UNUSED}", disabled=disabled)


def _make_and_close() -> None:
    os.close(io_uring.setup(1, bytearray(io_uring.PARAMS_BYTES)))
