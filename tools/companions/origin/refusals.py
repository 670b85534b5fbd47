"""Requests that get an error page."""

from http import HTTPStatus

Headers = tuple[tuple[str, str], ...]


class Refusal(Exception):  # noqa: N818 - the client's fault, not the server's
    """A request that is answered with an error status, and what the page says about it."""

    def __init__(self, status: HTTPStatus, why: str = "", headers: Headers = ()) -> None:
        super().__init__(status, why, headers)
        self.status = status
        self.why = why
        self.headers = headers
