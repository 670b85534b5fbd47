"""New certificates for the admin interface, whose sockets and rules outlive reloads."""

import structlog

from spliceproxy.errors import Problem
from spliceproxy.master.admin_process_keeper import AdminProcessKeeper
from spliceproxy.settings.admin import AdminSettings
from spliceproxy.tls.admin_tls import AdminFiles


class AdminCertificates:
    """Knows what the admin process shows, and has it show what a reload has read."""

    def __init__(
        self, keeper: AdminProcessKeeper, settings: AdminSettings, tls: AdminFiles
    ) -> None:
        self._keeper = keeper
        self._settings = settings
        self._shown = tls

    def renew(self, settings: AdminSettings, tls: AdminFiles) -> None:
        """Show these, unless nothing has changed, or the settings have: those need a restart."""
        if settings != self._settings or tls == self._shown:
            return
        # Late: HTTP and metrics are 15 MB that nobody else has a use for.
        from spliceproxy.master.admin_doors import renew_tls

        try:
            self._keeper.renew_tls(lambda doors: renew_tls(doors, settings, tls))
        except (Problem, OSError) as problem:  # the loader has tried it: what is short is memory
            structlog.get_logger().error("admin_tls_not_renewed", error=str(problem))
        else:
            self._shown = tls
            structlog.get_logger().info("admin_tls_renewed")
