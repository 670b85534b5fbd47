"""The paths of the admin interface, and what each of them does."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from spliceproxy.admin.attachments import AttachmentDirectory
from spliceproxy.admin.backend_orders import BackendOrder
from spliceproxy.admin.messages import (
    RefusedError,
    Request,
    Response,
    json_response,
    parse_json,
)
from spliceproxy.admin.metrics.page import render
from spliceproxy.admin.mirrors_api import MirrorsApi
from spliceproxy.admin.operations import MAX_CONNECTIONS_TOLD, Operations
from spliceproxy.admin.orders_log import log_order
from spliceproxy.admin.page import load_page
from spliceproxy.policy.selection import Selection, SelectionError

Handle = Callable[[Request], Awaitable[Response]]


class Api:
    """Finds the handler of a request."""

    def __init__(self, operations: Operations, attachments: AttachmentDirectory) -> None:
        self._operations = operations
        self._page_response = load_page()
        self._handlers: dict[str, dict[str, Handle]] = {
            "/": {"GET": self._page},
            "/livez": {"GET": self._live},
            "/readyz": {"GET": self._ready},
            "/metrics": {"GET": self._metrics},
            "/api/status": {"GET": self._status},
            "/api/connections": {"GET": self._connections},
            "/api/connections/close": {"POST": self._close},
            "/api/backends/set": {"POST": self._set_backend},
            **MirrorsApi(operations, attachments).handlers,
            "/api/reload": {"POST": self._reload},
            "/api/log": {"POST": self._set_log_level},
            "/api/drain": {"POST": self._drain},
        }

    async def handle(self, request: Request) -> Response:
        """Answer a request.

        Raises:
            RefusedError: it cannot be met.
        """
        methods = self._handlers.get(request.path)
        if methods is None:
            raise RefusedError(
                404, f"there is no {request.path[:100]}: {', '.join(self._handlers)}"
            )
        handler = methods.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            raise RefusedError(405, f"expected {' or '.join(methods)}")
        if request.method == "POST":
            log_order(request.path, request.asker, request.body.decode(errors="replace"))
        return await handler(request)

    async def _page(self, _request: Request) -> Response:
        return self._page_response

    async def _live(self, _request: Request) -> Response:
        return Response(200, b"ok\n", "text/plain")

    async def _ready(self, _request: Request) -> Response:
        if self._operations.description.draining:
            raise RefusedError(503, "draining")
        return Response(200, b"ok\n", "text/plain")

    async def _metrics(self, request: Request) -> Response:
        status, gone = self._operations.status(), self._operations.gone()
        return render(status, gone, request.headers.get("accept", ""))

    async def _status(self, _request: Request) -> Response:
        return json_response(self._operations.status().as_json())

    async def _connections(self, request: Request) -> Response:
        given = request.query
        limit = _count(given.pop("limit", "100"))
        return json_response(await self._operations.connections(_selection(given), limit))

    async def _close(self, request: Request) -> Response:
        selection = _selection(parse_json(request))
        if selection.everything:
            raise RefusedError(400, "nothing is selected: route, backend, client or number")
        return json_response(await self._operations.close_connections(selection))

    async def _set_backend(self, request: Request) -> Response:
        given = parse_json(request)
        names = {name: given.pop(name, None) for name in ("route", "backend")}
        if not all(isinstance(name, str) for name in names.values()):
            raise RefusedError(400, "route and backend are texts, and both are needed")
        order = _backend_order(given)
        self._operations.set_backend(names["route"], names["backend"], order)
        return json_response({**names, **given})

    async def _reload(self, _request: Request) -> Response:
        return json_response(await self._operations.reload())

    async def _set_log_level(self, request: Request) -> Response:
        given = parse_json(request)
        if given.keys() != {"level"}:
            raise RefusedError(400, "expected a level, and nothing else")
        return json_response(await self._operations.set_log_level(given["level"]))

    async def _drain(self, _request: Request) -> Response:
        return json_response(await self._operations.drain(), 202)


def _selection(given: Mapping[str, Any]) -> Selection:
    try:
        return Selection.parse(given)
    except SelectionError as error:
        raise RefusedError(400, str(error)) from None


def _backend_order(given: dict[str, Any]) -> BackendOrder:
    unknown = given.keys() - {"state", "weight"}
    if unknown:
        raise RefusedError(400, f"{min(unknown)[:60]!r} orders nothing: state, weight")
    return BackendOrder(**given)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and int(text) > 0):
        raise RefusedError(400, f"limit is 1 to {MAX_CONNECTIONS_TOLD}")
    return int(text)
