"""The id of this machine, which stays over restarts and is for its own programs to know."""

import hmac
import re
from pathlib import Path

MACHINE_ID = Path("/etc/machine-id")

_ID = re.compile(r"[0-9a-f]{32}")


def parse_machine_id(text: str) -> bytes | None:
    """Return an id's 16 bytes; None for what stands there before there is one (machine-id(5))."""
    word = text.strip()
    if not _ID.fullmatch(word) or not int(word, 16):
        return None
    return bytes.fromhex(word)


def derive_key(application: bytes, path: Path = MACHINE_ID) -> bytes | None:
    """Return 32 bytes that are this machine's and this application's; None: it has no id.

    The id itself must not get out, not even by what is computed from it, so it is the key of a hash
    of the application's own constant, as sd_id128_get_machine_app_specific(3) makes it.
    """
    try:
        machine = parse_machine_id(path.read_text(errors="replace"))
    except OSError:
        return None
    return None if machine is None else hmac.digest(machine, application, "sha256")
