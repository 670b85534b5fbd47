"""What the master does for TLS: tickets, certificates that expire, files that change."""

from collections.abc import Callable, Iterable

import structlog

from spliceproxy.master.certificate_expiry import CertificateExpiry
from spliceproxy.master.file_watch import FileWatch
from spliceproxy.master.generation import Generation
from spliceproxy.master.ticket_secret import TicketSecret
from spliceproxy.tls.certificate_files import SELF_SIGNED, CertificateFacts

_MOST_TOLD = 20


class TlsKeeper:
    """Does nothing, and costs nothing, as long as no route speaks TLS."""

    def __init__(self, forget: Callable[[], None]) -> None:
        self._tickets = TicketSecret()
        self._expiry = CertificateExpiry()
        self._files = FileWatch(forget)
        self._shown: dict[str, str] = {}

    def prepare(self, generation: Generation) -> Generation:
        """Return a generation that has no worker yet, ready for some."""
        self._tickets.give_to(generation)
        return generation

    def take_over(self, generation: Generation) -> None:
        """Look after what the generation that accepts now has been made of."""
        routes = [route.tls for route in generation.routes if route.tls is not None]
        if routes and generation.settings.tls_key_log is not None:
            structlog.get_logger().warning(
                "tls_keys_are_logged",
                file=generation.settings.tls_key_log,
                effect="whoever has the file can read what was recorded of all TLS connections",
            )
        admin = [files for files in generation.admin_tls if files is not None]
        certificates = [certificate for tls in routes for certificate in tls.certificates]
        certificates += [one.facts for files in admin for one in files.certificates]
        self._tell(certificates)
        self._expiry.watch(certificates)
        watched = [one for tls in routes for one in tls.watched]
        self._files.watch(dict(watched + [one for files in admin for one in files.watched]))

    def _tell(self, certificates: list[CertificateFacts]) -> None:
        log, before = structlog.get_logger(), self._shown
        self._shown = {one.path: one.sha256 for one in certificates}
        for one in certificates:
            if one.path == SELF_SIGNED:
                log.info("tls_self_signed", sha256=one.sha256)
        renewed = [path for path in self._shown if self._shown[path] != before.get(path)]
        if before and renewed:
            log.info("tls_certificates_renewed", count=len(renewed), files=renewed[:_MOST_TOLD])

    def tend(self, generations: Iterable[Generation]) -> bool:
        """Do what it is time for; whether files have changed, so that a reload is due."""
        self._tickets.tend(generations)
        self._expiry.tend()
        return self._files.tend()

    def descriptors(self) -> list[int]:
        """What to poll for."""
        return self._files.descriptors()

    def deadlines(self) -> list[float | None]:
        """When there is something to do, whatever the descriptors say."""
        parts = (self._tickets, self._expiry, self._files)
        return [part.next_deadline_s for part in parts]

    def forget(self) -> None:
        """In a child: close what stands for the others."""
        self._files.forget()

    def stop(self) -> None:
        """Look after nothing any more."""
        self._files.stop()
