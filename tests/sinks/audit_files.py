"""Audit files of connections that have been, as a mirror would have left them."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

FILE_BYTES = 64 << 10
DAY_S = 86_400.0


def pid_of_nobody() -> int:
    """A process that has ended."""
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


class AuditFiles:
    """A mirror's directory, and what is put into it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._serial = 0
        self._pid = pid_of_nobody()

    def connection(
        self,
        began_s: float,
        *,
        ended_s: float | None = None,
        suffixes: tuple[str, ...] = ("-request", "-response", ".json"),
        pid: int | None = None,
        size_bytes: int = FILE_BYTES,
    ) -> str:
        """Leave the files of a connection; the record is as large as the others."""
        self._serial += 1
        began = datetime.fromtimestamp(began_s, UTC)
        stamp = began.strftime("%Y%m%dT%H%M%S.%fZ")
        name = f"{stamp}-127.0.0.1_80-{pid or self._pid}-{self._serial:06d}"
        day = self.directory / began.strftime("%Y-%m-%d")
        day.mkdir(exist_ok=True)
        for suffix in suffixes:
            path = day / f"{name}{suffix}"
            path.write_bytes(os.urandom(size_bytes))
            os.utime(path, (ended_s or began_s, ended_s or began_s))
        return name

    def left(self) -> list[str]:
        """The connections that have files still, by their serial numbers."""
        names = {path.name for path in self.directory.glob("*/*Z-*")}
        return sorted({name.split("-")[3].partition(".")[0] for name in names})

    def paths(self) -> list[str]:
        """All that is there."""
        return sorted(str(path.relative_to(self.directory)) for path in self.directory.rglob("*"))
