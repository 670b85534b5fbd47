"""The status page: one file, which loads nothing but the proxy's own figures."""

import base64
import hashlib
import re
from importlib.resources import files

from spliceproxy.admin.messages import Response

_SCRIPT = re.compile(r"<script>(.*)</script>", re.DOTALL)


def load_page() -> Response:
    """Return the page. The browser is told to run its script alone, and to ask nobody else."""
    text = (files("spliceproxy.admin") / "page.html").read_text()
    script = _SCRIPT.search(text)
    assert script is not None  # noqa: S101 - the page is part of the package
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
    return Response(200, text.encode(), "text/html; charset=utf-8", headers)
