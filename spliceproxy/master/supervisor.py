"""From settings to a running master, and its end as an exit status."""

import contextlib
from collections.abc import Callable

import structlog

from spliceproxy.ipc.master_row import MasterRow
from spliceproxy.ipc.rows import TABLE_ROWS, WORKER_ROWS
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.kernel.inherited import InheritedSockets, find_inherited
from spliceproxy.kernel.process_state import sees_processes
from spliceproxy.kernel.refusals import told_as
from spliceproxy.master.admin_process_keeper import Doors
from spliceproxy.master.loader import load_hidden
from spliceproxy.master.master import Master
from spliceproxy.master.open_listeners import OpenListeners
from spliceproxy.master.privileges import find_privileges
from spliceproxy.master.signals import signals_to_pipe
from spliceproxy.observe.logs import Logs
from spliceproxy.observe.service_manager import ServiceManager
from spliceproxy.proxy.capacity import raise_limit
from spliceproxy.settings.proxy import Settings
from spliceproxy.tls.admin_tls import AdminFiles

_LAST_LINES_S = 1.0  # so long a log reader that has stalled may hold up the exit


def supervise(settings: Settings, reload: Callable[[], Settings] | None = None) -> int:
    """Run the proxy until it is told to stop; returns the exit status.

    ``reload`` reads the settings anew, and raises a `Problem` if they are to be refused.

    Raises:
        UsageProblem: a mirror cannot work, such as a directory that is not writable.
        StartProblem: an address cannot be listened on, a name does not resolve, the user is not
            known or cannot be become, or the system refuses what the proxy cannot do without.
        BootProblem: a worker ended before it served.
    """
    inherited = find_inherited()
    manager = ServiceManager()
    logs = Logs(settings.log, settings.access_log)
    logs.use()
    with contextlib.ExitStack() as on_exit:
        on_exit.callback(logs.close, _LAST_LINES_S)
        signal_fd = on_exit.enter_context(signals_to_pipe())
        listeners = on_exit.enter_context(contextlib.closing(OpenListeners()))
        privileges = find_privileges(settings)
        loaded = load_hidden(lambda: settings, inherited, (), privileges.identity)
        raise_limit(loaded.settings, loaded.listeners + loaded.key_logs)
        change = listeners.change(loaded.settings.routes, loaded.targets)
        doors = on_exit.enter_context(_open_doors(settings, inherited, loaded.admin_tls))
        with told_as("what processes share"):
            table = on_exit.enter_context(contextlib.closing(SharedTable(TABLE_ROWS, WORKER_ROWS)))
        logs.count_in(MasterRow(table).lines)
        privileges.confine_master()
        privileges.tell(settings)
        _tell_of_proc()
        master = Master(
            reload, inherited, listeners, doors, table, manager, signal_fd, logs, privileges
        )
        on_exit.callback(lambda: master.logs.close(_LAST_LINES_S))
        return master.run(loaded, change)


def _tell_of_proc() -> None:
    """Warn where nothing can be known of other processes."""
    if not sees_processes():
        structlog.get_logger().warning(
            "proc_missing",
            remedy="mount /proc: without it nobody notices a worker that hangs",
        )


def _open_doors(
    settings: Settings, inherited: InheritedSockets, tls: AdminFiles
) -> contextlib.AbstractContextManager[Doors]:
    if not settings.admin.listen and settings.stats_socket is None:
        return contextlib.nullcontext(())
    # Late: HTTP and metrics are 15 MB that nobody else has a use for.
    from spliceproxy.master.admin_doors import open_doors

    return open_doors(settings, inherited, tls)
