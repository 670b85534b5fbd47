"""The paths of the admin interface that concern mirrors."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from spliceproxy.admin.attachments import AttachmentDirectory
from spliceproxy.admin.messages import (
    RefusedError,
    Request,
    Response,
    json_response,
    parse_json,
)
from spliceproxy.admin.mirror_orders import MirrorOrder
from spliceproxy.admin.operations import Operations

Handle = Callable[[Request], Awaitable[Response]]


class MirrorsApi:
    """Reads requests about mirrors, and answers with what became of them."""

    def __init__(self, operations: Operations, attachments: AttachmentDirectory) -> None:
        self._operations = operations
        self._attachments = attachments
        self.handlers: Mapping[str, dict[str, Handle]] = {
            "/api/mirrors/set": {"POST": self._set},
            "/api/mirrors/attach": {"POST": self._attach},
            "/api/mirrors/detach": {"POST": self._detach},
            "/api/mirrors/attached": {"GET": self._attached},
        }

    async def _set(self, request: Request) -> Response:
        given = parse_json(request)
        names = {name: given.pop(name, None) for name in ("route", "mirror")}
        if not all(isinstance(name, str) for name in names.values()):
            raise RefusedError(400, "route and mirror are texts, and both are needed")
        order = _order(given)
        done = await self._operations.set_mirror(names["route"], names["mirror"], order)
        return json_response({**names, **given, **done})

    async def _attach(self, request: Request) -> Response:
        return json_response(await self._attachments.attach(parse_json(request), request.asker))

    async def _detach(self, request: Request) -> Response:
        given = parse_json(request)
        if given.keys() != {"id"}:
            raise RefusedError(400, "expected an id, and nothing else")
        return json_response(await self._attachments.detach(given["id"]))

    async def _attached(self, _request: Request) -> Response:
        return json_response(self._attachments.told())


def _order(given: dict[str, Any]) -> MirrorOrder:
    unknown = given.keys() - {"state", "sample", "now"}
    if unknown:
        raise RefusedError(400, f"{min(unknown)[:60]!r} orders nothing: state, sample, now")
    return MirrorOrder(**given)
