"""A name's addresses that this machine does not have, beside others that it has.

`localhost` is `::1` too in the usual /etc/hosts, also where IPv6 is off.
"""

import errno
from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.addresses import name_peer
from spliceproxy.master.listen_targets import ListenTarget, TcpBind

_MISSING = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # no such address; no IPv6 in this kernel

Opened = TypeVar("Opened")


def open_available(
    targets: Iterable[ListenTarget],
    open_one: Callable[[ListenTarget], Opened],
    refuse: Callable[[ListenTarget, OSError], StartProblem],
) -> list[Opened]:
    """Open each target, but warn of a name's addresses that are missing.

    Raises:
        StartProblem: from `refuse`: a target cannot be opened, or no address of a name is there.
    """
    opened: list[Opened] = []
    missing: list[tuple[ListenTarget, OSError]] = []
    found: set[str] = set()
    for target in targets:
        try:
            opened.append(open_one(target))
        except OSError as error:
            if not target.of_name or error.errno not in _MISSING:
                raise refuse(target, error) from error
            missing.append((target, error))
        else:
            found.add(target.text)
    for target, why in missing:
        if target.text not in found:
            raise refuse(target, why) from why
        _warn(target, why)
    return opened


def _warn(target: ListenTarget, error: OSError) -> None:
    address = name_peer(target.bind.name) if isinstance(target.bind, TcpBind) else target.text
    structlog.get_logger().warning(
        "address_not_listened_on", listen=target.text, address=address, error=error.strerror
    )
