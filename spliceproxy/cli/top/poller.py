"""Looking at a proxy from a thread, so that whoever shows it never waits."""

import threading
from collections.abc import Callable

from spliceproxy.cli.top.look import AdminApi, Look, look
from spliceproxy.errors import AskingProblem

Deliver = Callable[[Look | AskingProblem], None]


class Poller:
    """Looks again and again, until it is told to stop; delivers from its own thread."""

    def __init__(self, client: AdminApi, interval_s: float, deliver: Deliver) -> None:
        self._client = client
        self._interval_s = interval_s
        self._deliver = deliver
        self._connections = False
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        self._delivering = threading.Lock()
        # A daemon: the end of the program does not wait for a proxy that does not answer.
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    def start(self) -> None:
        """Begin to look, from a thread."""
        self._thread.start()

    def want_connections(self, *, wanted: bool) -> None:
        """Look at connections too from now on, the first time at once; or no longer."""
        if wanted and not self._connections:
            self._hurry.set()
        self._connections = wanted

    def stop(self) -> None:
        """Look no more; after this returns nothing is delivered."""
        with self._delivering:
            self._stopping.set()
        self._hurry.set()

    def _run(self) -> None:
        while True:
            self._hurry.wait(self._interval_s)
            self._hurry.clear()
            if self._stopping.is_set():
                return
            seen = self._look()
            with self._delivering:
                if not self._stopping.is_set():
                    self._deliver(seen)

    def _look(self) -> Look | AskingProblem:
        try:
            return look(self._client, connections=self._connections)
        except AskingProblem as problem:
            return problem
