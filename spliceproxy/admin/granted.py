"""Keeping what operators attach within what the configuration grants.

An operator's orders come by HTTP, from whoever has a token or a user's rights; the configuration
comes from who may start the proxy. The workers hold the same grants against what this process
tells them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import quote

import trio

from spliceproxy.admin.messages import RefusedError
from spliceproxy.admin.threads import run_in_thread
from spliceproxy.ipc.attachment import AttachRequest
from spliceproxy.kernel.real_path import real_path
from spliceproxy.settings.attach_grants import (
    AttachGrant,
    why_directory_is_taken,
    why_not_granted,
)
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.settings.mirror_kinds.table import KINDS

_TIMEOUT_S = 5.0
_THREADS = trio.CapacityLimiter(2)
"""A disk that hangs keeps its thread; so there are few of them."""


async def check_granted(
    request: AttachRequest, grants: Iterable[AttachGrant], taken: Iterable[str] = ()
) -> AttachRequest:
    """Refuse what is not granted; a directory is from now on the one that its links lead to.

    In directories that mirrors of the configuration have taken nothing else is written.

    Whoever changes a link afterwards changes nothing.

    Raises:
        RefusedError: the mirror is not granted, its directory is taken, or its disk does not
            answer.
    """
    if KINDS[request.mirror.kind].is_directory:
        with trio.move_on_after(_TIMEOUT_S) as scope:
            request, taken = await run_in_thread(partial(_resolve, request, tuple(taken)), _THREADS)
        if scope.cancelled_caught:
            raise RefusedError(504, f"the directory's disk takes more than {_TIMEOUT_S:g} s")
    why = why_not_granted(request.mirror, grants)
    if why is not None:
        raise RefusedError(403, why)
    why = why_directory_is_taken(request.mirror, taken)
    if why is not None:
        raise RefusedError(409, why)
    return request


def _resolve(request: AttachRequest, taken: Sequence[str]) -> tuple[AttachRequest, list[str]]:
    return _resolve_directory(request), [real_path(path) for path in taken]


def _resolve_directory(request: AttachRequest) -> AttachRequest:
    directory = real_path(request.mirror.target)
    if directory == request.mirror.target:
        return request
    kind = KINDS[request.mirror.kind]
    _, options = kind.split(request.to)
    to = f"{kind.name}:{quote(directory)}{'?' if options else ''}{options}"
    try:
        mirror = replace(parse_mirror(to), max_bytes=request.mirror.max_bytes)
    except ValueError as problem:  # what a link leads to has no form as a mirror
        raise RefusedError(400, str(problem)) from None
    return replace(request, to=to, mirror=mirror)
