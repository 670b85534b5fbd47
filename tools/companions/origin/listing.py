"""A directory as a page of links."""

import html
import os
from urllib.parse import quote_from_bytes

MOST_ENTRIES = 10_000
"""A page has no more; a directory may have millions, and the page is made in memory."""

_PAGE = """\
<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1><ul>
{rows}
</ul>{rest}</body></html>
"""


def list_directory(directory_fd: int) -> tuple[list[tuple[bytes, bool]], bool]:
    """Return names, each with whether it is a directory, in order; and whether there are more."""
    found: list[tuple[bytes, bool]] = []
    with os.scandir(directory_fd) as entries:
        for entry in entries:
            if len(found) == MOST_ENTRIES:
                return sorted(found), True
            found.append((os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)))
    return sorted(found), False


def render(path: bytes, entries: list[tuple[bytes, bool]], *, is_cut: bool) -> bytes:
    """Return the HTML of a listing; names are quoted for the link and escaped for the eye."""
    rows = ['<li><a href="../">../</a></li>'] if path else []
    for name, is_directory in entries:
        slash = "/" if is_directory else ""
        # The "./" keeps a name with a colon from being read as a scheme (RFC 3986, 4.2).
        link = f"./{quote_from_bytes(name)}{slash}"
        rows.append(f'<li><a href="{link}">{_escape(name)}{slash}</a></li>')
    rest = f"<p>Only the first {MOST_ENTRIES} entries are shown.</p>" if is_cut else ""
    title = f"/{_escape(path)}"
    return _PAGE.format(title=title, rows="\n".join(rows), rest=rest).encode()


def _escape(name: bytes) -> str:
    return html.escape(name.decode("utf-8", "replace"))
