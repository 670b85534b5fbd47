"""Which calls are tried on what, and what the refusal of each means."""

import errno
from collections.abc import Callable
from dataclasses import dataclass

from spliceproxy.doctor.channels import Channel
from spliceproxy.doctor.needs import Need
from spliceproxy.doctor.transfers import (
    sendfile_both_ways,
    sendfile_into,
    splice_both_ways,
    splice_into,
    tee_into,
    vmsplice_into,
)


@dataclass(frozen=True, slots=True)
class Trial:
    """A call on a kind of channel."""

    call: str
    channel: str
    move: Callable[[Channel], None]
    """Raises OSError as the call, and `WrongBytes`."""
    otherwise: str
    """What follows from a refusal."""
    need: Need | None = None
    """Who cannot do without."""
    refusal: int = 0
    """The errno that the manual page promises, where it promises one."""

    @property
    def check(self) -> str:
        """The name of its finding."""
        return f"{self.call}.{self.channel}"


_COPIED = "such connections are copied through the process"
_LOST = "such mirrors fail, and lose their copies"
_TOOLS = "the proxy does without, tools that use it do not"

TRIALS = (
    Trial("splice", "tcp4", splice_both_ways, _COPIED, Need.TRAFFIC),
    Trial("splice", "tcp6", splice_both_ways, _COPIED, Need.TRAFFIC),
    Trial("splice", "unix", splice_both_ways, _COPIED, Need.TRAFFIC),
    Trial("splice", "pipe", splice_both_ways, _LOST, Need.MIRRORS),
    Trial("splice", "file", splice_both_ways, _LOST, Need.FILE_MIRRORS),
    Trial("splice", "tmpfs", splice_both_ways, "mirrors into a tmpfs fail"),
    Trial("splice", "null", splice_into, _LOST, Need.NULL_MIRRORS),
    Trial(
        "splice",
        "append",
        splice_into,
        "file mirrors write at a position of their own, never with O_APPEND",
        refusal=errno.EINVAL,
    ),
    Trial("tee", "pipe", tee_into, "mirrors miss what connections splice", Need.MIRRORS),
    Trial("tee", "tcp4", tee_into, "copies pass through a pipe", refusal=errno.EINVAL),
    Trial("vmsplice", "pipe", vmsplice_into, _TOOLS),
    Trial("vmsplice", "tcp4", vmsplice_into, "memory passes through a pipe", refusal=errno.EBADF),
    Trial("sendfile", "tcp4", sendfile_into, _TOOLS),
    Trial("sendfile", "tcp6", sendfile_into, _TOOLS),
    Trial("sendfile", "unix", sendfile_into, _TOOLS),
    Trial("sendfile", "pipe", sendfile_into, _TOOLS),
    Trial("sendfile", "file", sendfile_both_ways, _TOOLS),
    Trial("sendfile", "tmpfs", sendfile_both_ways, _TOOLS),
    Trial("sendfile", "null", sendfile_into, _TOOLS),
    Trial(
        "sendfile",
        "append",
        sendfile_into,
        "what is appended has to be written",
        refusal=errno.EINVAL,
    ),
)
