"""Files of the log that somebody has moved away: everybody goes on in new ones."""

from collections.abc import Iterable

from spliceproxy.master.admin_process_keeper import AdminProcessKeeper
from spliceproxy.master.generation import Generation


def reopen_logs(
    generations: Iterable[Generation], current: Generation, admin: AdminProcessKeeper
) -> None:
    """Let all workers, and the admin process, go on in the files that have the names now."""
    for generation in generations:
        with generation.logs.reopened() as files:
            generation.workers.reopen_logs(files)
            if generation is current:
                admin.reopen_logs(files)
