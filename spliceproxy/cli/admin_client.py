"""Asking a running proxy, by its admin interface."""

import http.client
import json
import socket
import ssl
from typing import Any
from urllib.parse import urlencode

from spliceproxy.cli.admin_tls import remedy_of
from spliceproxy.errors import AskingProblem, one_line
from spliceproxy.settings.address import Address, TcpAddress, UnixAddress

TIMEOUT_S = 130.0  # a reload may take two minutes
_LONGEST_ANSWER_BYTES = 64 << 20


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class AdminClient:
    """Asks one proxy; a connection for each question."""

    def __init__(
        self,
        address: Address,
        token: str | None,
        *,
        timeout_s: float = TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """With `tls` it asks by TLS, an address of TCP."""
        self._address = address
        self._token = token
        self._timeout_s = timeout_s
        self._tls = tls

    def get(self, path: str, **query: str) -> Any:
        """Ask for something.

        Raises:
            AskingProblem: there is no answer, or it is a refusal.
        """
        return self._ask("GET", f"{path}?{urlencode(query)}" if query else path, None)

    def post(self, path: str, **details: object) -> Any:
        """Give an order.

        Raises:
            AskingProblem: there is no answer, or it is a refusal.
        """
        return self._ask("POST", path, json.dumps(details).encode())

    def _ask(self, method: str, target: str, body: bytes | None) -> Any:
        # Whatever name has led here: the interface refuses others than this one, which a page
        # of another site might have, unless they come with a token.
        headers = {"Host": "localhost"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        connection = self._connection()
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            text = answer.read(_LONGEST_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise AskingProblem(
                f"no answer from the admin interface at {self._address} ({error})",
                remedy_of(error)
                or "is the proxy running with that --admin address? (SPLICEPROXY_CTL)",
            ) from None
        finally:
            connection.close()
        return _read(text, answer.status)

    def _connection(self) -> http.client.HTTPConnection:
        if isinstance(self._address, UnixAddress):
            return _UnixConnection(self._address.sun_path, self._timeout_s)
        assert isinstance(self._address, TcpAddress)  # noqa: S101 - there are no others to connect to
        host, port = self._address.host or "localhost", self._address.port
        if self._tls is not None:
            return http.client.HTTPSConnection(
                host, port, timeout=self._timeout_s, context=self._tls
            )
        return http.client.HTTPConnection(host, port, timeout=self._timeout_s)


def _read(text: bytes, status: int) -> Any:
    try:
        answer = json.loads(text)
    except ValueError:
        raise AskingProblem(
            f"the answer is not JSON: {one_line(text[:80].decode(errors='replace'))}",
            "is this the admin address?",
        ) from None
    if status >= 400:
        raise AskingProblem(str(answer.get("error", f"status {status}")), "nothing was changed")
    return answer
