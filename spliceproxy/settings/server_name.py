"""Server names as users write them: `example.org`, or `*.example.org` for all below it."""

from spliceproxy.errors import quote
from spliceproxy.policy.sni import normalise_pattern


def parse_server_name(text: str) -> str:
    """Return a name, or `*.` and a name, in lower case ASCII."""
    try:
        return normalise_pattern(text)
    except ValueError:
        raise ValueError(
            f"{quote(text)} is not a server name: expected one such as example.org, or "
            "*.example.org for all below it"
        ) from None
