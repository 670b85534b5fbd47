"""Slots of workers, with a line to the admin process."""

import errno
import os
import socket
from contextlib import closing
from typing import cast

import pytest

from spliceproxy.admin.guard import Guard
from spliceproxy.admin.server import Door
from spliceproxy.ipc.shared_table import SharedTable
from spliceproxy.master import admin_keeper
from spliceproxy.master.admin_keeper import AdminKeeper
from spliceproxy.observe.logs import Logs


def test_without_a_line_no_place_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_line() -> tuple[socket.socket, socket.socket]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with closing(SharedTable(10)) as table, socket.socket() as sock:
        logs = cast(Logs, None)  # of the log of a child, of which there is none here
        keeper = AdminKeeper([Door(sock, Guard(None, None))], table, logs, lambda: None)
        with monkeypatch.context() as patch:
            patch.setattr(admin_keeper, "make_line", no_line)
            for _ in range(3):
                with pytest.raises(OSError, match="Too many open files"):
                    keeper.take()
        slot = keeper.take()
        assert slot == 0, "rows are few, however often a worker could not be started"
        keeper.free(slot)
