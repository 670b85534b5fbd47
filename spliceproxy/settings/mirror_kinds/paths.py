"""Paths behind a scheme, by the rules of URLs."""

from urllib.parse import unquote

from spliceproxy.errors import quote


def parse_path(scheme: str, text: str) -> str:
    """Return the path of ``PATH`` or ``///PATH``; ValueError says what is wrong."""
    if text.startswith("//") and not text.startswith("///"):
        raise ValueError(f"a path has no host: expected {scheme}:PATH or {scheme}:///PATH")
    path = unquote(text.removeprefix("//"), errors="surrogateescape")
    if not path:
        raise ValueError(f"the path is empty: expected {scheme}:PATH or {scheme}:///PATH")
    if not path.isprintable():
        raise ValueError(f"path {quote(path)} holds a character that is not printable")
    return path
