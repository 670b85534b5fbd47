"""Content-Type by the ending of a file's name."""

import mimetypes

UNKNOWN = "application/octet-stream"

# The standard library's own table, not the machine's /etc/mime.types: the same answer everywhere.
_types = mimetypes.MimeTypes()
_ENCODINGS = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


def media_type(name: str) -> str:
    """Return the value of Content-Type; text is taken for UTF-8.

    A compressed file is sent as one: nothing is said about a Content-Encoding, which a browser
    would undo.
    """
    guessed, encoding = _types.guess_type(f"/{name}")  # the slash: a name is never taken for a URL
    if encoding is not None:
        return _ENCODINGS.get(encoding, UNKNOWN)
    if guessed is None:
        return UNKNOWN
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed
