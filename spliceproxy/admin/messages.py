"""A request to the admin interface and its answer, whatever carries them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks."""

    method: str
    target: str
    headers: Mapping[str, str]
    """By lower-case name; of several with one name the last."""
    body: bytes
    asker: str
    """Who asks: ``127.0.0.1:1234``, or ``uid=0 pid=77`` on a unix socket."""

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The parameters behind the path; of several with one name the last."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """A request that cannot be met: the text says why, in one line."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def json_response(value: Any, status: int = 200) -> Response:
    """Answer with a value."""
    return Response(status, json.dumps(value, separators=(",", ":")).encode() + b"\n")


def refusal(error: RefusedError) -> Response:
    """Answer with the reason why not."""
    return json_response({"error": str(error)}, error.status)


def parse_json(request: Request) -> dict[str, Any]:
    """Return the object in the body; an empty body is an empty one.

    Raises:
        RefusedError: it is something else.
    """
    try:
        value = json.loads(request.body or b"{}")
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, f"the body is not JSON: {str(error)[:100]}") from None
    if not isinstance(value, dict):
        raise RefusedError(400, "the body is not a JSON object")
    return value
