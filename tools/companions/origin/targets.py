"""What a request asks for: the target in its first line, taken apart into the names of a path."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote_from_bytes, unquote_to_bytes

from tools.companions.origin.refusals import Refusal

_ABSOLUTE_FORM = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Target:
    """The names from the root to a file, decoded, and whether a slash ends them."""

    names: tuple[bytes, ...]
    is_directory: bool
    query: bytes = b""

    @property
    def path(self) -> bytes:
        """The path below the root, as open(2) takes it; the root itself is a dot."""
        return b"/".join(self.names) or b"."

    def as_directory(self) -> str:
        """Return the target with a slash at its end, encoded again, for a redirect.

        Made from the names, it cannot begin with two slashes, which would name another host.
        """
        path = "".join(f"/{quote_from_bytes(name)}" for name in self.names)
        return f"{path}/" + (f"?{self.query.decode('ascii')}" if self.query else "")


def parse_target(target: bytes) -> Target:
    """Take a target in origin or absolute form apart (RFC 9112, 3.2).

    Dot segments are refused whether or not they stay below the root: clients resolve them before
    they ask (RFC 3986, 5.2.4). So is an encoded slash, which no file name can hold.

    Raises:
        Refusal: 400 for what is malformed, 403 for what could lead out of the root.
    """
    absolute = _ABSOLUTE_FORM.match(target)
    local = target[absolute.end() :] or b"/" if absolute else target
    raw_path, _, query = local.partition(b"?")
    if absolute and not raw_path:  # http://host?query
        raw_path = b"/"
    if not raw_path.startswith(b"/") or b"#" in local:
        raise Refusal(HTTPStatus.BAD_REQUEST, "the target is no path")
    if _BAD_PERCENT.search(raw_path):
        raise Refusal(HTTPStatus.BAD_REQUEST, "a percent sign without two hexadecimal digits")
    segments = [unquote_to_bytes(segment) for segment in raw_path.split(b"/")]
    for segment in segments:
        _check_segment(segment)
    return Target(tuple(filter(None, segments)), not segments[-1], query)


def _check_segment(segment: bytes) -> None:
    if b"\0" in segment or b"/" in segment:
        raise Refusal(HTTPStatus.BAD_REQUEST, "a name with a NUL or a slash in it")
    if segment in (b".", b".."):
        raise Refusal(HTTPStatus.FORBIDDEN, "a path with dot segments")
