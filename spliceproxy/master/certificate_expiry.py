"""Telling the log in time that certificates expire."""

import time
from collections.abc import Iterable

import structlog

from spliceproxy.tls.certificate_files import CertificateFacts

WARNING_S = 14 * 86_400.0
_INTERVAL_S = 86_400.0
_MOST_TOLD = 20


class CertificateExpiry:
    """Looks at the certificates in use at once, and then once a day."""

    def __init__(self) -> None:
        self._certificates: list[CertificateFacts] = []
        self.next_deadline_s: float | None = None

    def watch(self, certificates: Iterable[CertificateFacts]) -> None:
        """Look at these from now on."""
        self._certificates = sorted(set(certificates), key=lambda one: one.expires_s)
        self.next_deadline_s = time.monotonic() if self._certificates else None
        self.tend()

    def tend(self) -> None:
        """Tell the log, if it is time for that."""
        if self.next_deadline_s is None or time.monotonic() < self.next_deadline_s:
            return
        self.next_deadline_s = time.monotonic() + _INTERVAL_S
        now_s = time.time()
        told = [one for one in self._certificates if one.expires_s < now_s + WARNING_S]
        if told:
            structlog.get_logger().warning(
                "tls_certificates_expire",
                certificates=[
                    {"file": one.path, "days_left": int((one.expires_s - now_s) // 86_400)}
                    for one in told[:_MOST_TOLD]
                ],
                remedy="renew them, and reload",
                **({"not_told": len(told) - _MOST_TOLD} if len(told) > _MOST_TOLD else {}),
            )
