"""Telling the service manager how it goes: the protocol of sd_notify(3)."""

import os
import socket
import time
from collections.abc import MutableMapping

import structlog

_MAX_STATUS_CHARACTERS = 500


class ServiceManager:
    """Who started the process and wants to hear of it; nobody, if the environment names none."""

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        # Taken away, since commands of mirrors have nothing to tell.
        path = environ.pop("NOTIFY_SOCKET", "")
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        self.watchdog_s = _watchdog_s(
            environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        )
        """So often at least it wants to hear that all is well (WatchdogSec=); None: never."""
        self._status = ""
        self._failed = False

    @property
    def listens(self) -> bool:
        """Whether there is somebody to tell."""
        return bool(self._address)

    def ready(self, status: str) -> None:
        """The start, or a reload, is over."""
        self._status = status
        self._send("READY=1", _status_line(status))

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """No new connection is wanted any more."""
        self._send("STOPPING=1", _status_line(status))

    def tell(self, status: str) -> None:
        """Tell what goes on, if that has changed."""
        if status != self._status:
            self._status = status
            self._send(_status_line(status))

    def is_well(self) -> None:
        """Reset the watchdog."""
        self._send("WATCHDOG=1")

    def _send(self, *assignments: str) -> None:
        if not self._address:
            return
        message = "\n".join(assignments).encode(errors="replace")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                # Waiting for a manager that does not read would stop the master.
                sock.sendto(message, socket.MSG_DONTWAIT, self._address)
        except OSError as error:
            if not self._failed:
                structlog.get_logger().warning("notify_failed", error=str(error))
            self._failed = True
        else:
            self._failed = False


def _status_line(status: str) -> str:
    return f"STATUS={' '.join(status.split())[:_MAX_STATUS_CHARACTERS]}"


def _watchdog_s(microseconds: str, pid: str) -> float | None:
    if pid and pid != str(os.getpid()):  # it watches another process
        return None
    if not (microseconds.isascii() and microseconds.isdecimal() and len(microseconds) <= 18):
        return None
    return int(microseconds) / 1e6 or None
