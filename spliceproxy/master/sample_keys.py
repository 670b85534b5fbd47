"""The key that samples are drawn with: that of the settings, or this machine's own."""

import secrets
from collections.abc import Iterable
from pathlib import Path

import structlog

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.machine_id import MACHINE_ID, derive_key
from spliceproxy.policy.sampling import KEY_BYTES, key_of
from spliceproxy.settings.proxy import RouteSettings
from spliceproxy.settings.sample_key import FILE_PREFIX, LEAST_KEY_LENGTH

_APPLICATION = b"spliceproxy: which clients are sampled"
_MAX_FILE_BYTES = 4096


def read_sample_key(setting: str | None) -> bytes | None:
    """Return the key that a setting stands for, if there is one. Reads a file.

    Raises:
        StartProblem: the file cannot be read, or holds no key.
    """
    if setting is None:
        return None
    path = setting.removeprefix(FILE_PREFIX)
    return key_of(setting.encode() if path == setting else _read_file(path))


def _read_file(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            secret = file.read(_MAX_FILE_BYTES + 1).strip()
    except OSError as error:
        raise StartProblem(
            f"sample_key: cannot read {path} ({error.strerror})", "check path and rights"
        ) from None
    if not LEAST_KEY_LENGTH <= len(secret) <= _MAX_FILE_BYTES:
        raise StartProblem(
            f"sample_key: {path} holds no key",
            f"expected {LEAST_KEY_LENGTH} to {_MAX_FILE_BYTES} bytes, as of: openssl rand -hex 16",
        )
    return secret


def find_sampling(routes: Iterable[RouteSettings]) -> list[str]:
    """Return the routes of which a mirror gets a part of the connections."""
    return [route.name for route in routes if any(each.sample < 1 for each in route.mirrors)]


class SampleKeys:
    """Has one key of its own for the life of the process, so that all generations agree.

    It is this machine's, and the same after a restart. A machine without an id has a random one.
    """

    def __init__(self, machine_id: Path = MACHINE_ID) -> None:
        machine_key = derive_key(_APPLICATION, machine_id)
        self._own = machine_key or secrets.token_bytes(KEY_BYTES)
        self._to_be_told = machine_key is None

    def choose(self, configured: bytes | None, routes: Iterable[RouteSettings]) -> bytes:
        """Return the key for a configuration, and tell once if samples won't outlive a restart."""
        if configured is not None:
            return configured
        if self._to_be_told and (sampling := find_sampling(routes)):
            self._to_be_told = False
            structlog.get_logger().warning(
                "sample_key_random",
                routes=sampling,
                why=f"this machine has no id in {MACHINE_ID}: a restart samples other clients",
            )
        return self._own
