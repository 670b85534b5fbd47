"""Users and groups as users write them. Without pydantic, for which `--help` does not wait."""

import re

from spliceproxy.errors import quote

ACCOUNT_PATTERN = r"[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?|[0-9]{1,9}"


def parse_account(text: str) -> str:
    """Return the name or number of a user or group; whether it exists is not asked yet."""
    if not re.fullmatch(ACCOUNT_PATTERN, text):
        raise ValueError(f"{quote(text)} is no name or number of a user or group")
    return text
