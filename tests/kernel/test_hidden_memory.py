"""Memory that is kept from other processes, for good."""

import ctypes
import os
from pathlib import Path

import pytest

from spliceproxy.kernel.credentials import Identity, become
from spliceproxy.kernel.hidden_memory import hide_memory, is_memory_hidden
from spliceproxy.tls.pem_file import lent_as_file
from tests.child import in_child, in_visible_child

NOBODY = Identity(65534, 65534, (65534,), "nobody", "/nonexistent")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can be another user")


def test_what_is_forked_is_hidden_too() -> None:
    def do() -> tuple[bool, bool, bool]:
        show_memory()  # a proxy that held keys may have run in this process before
        before = is_memory_hidden()
        hide_memory()
        return before, is_memory_hidden(), in_child(is_memory_hidden)

    assert in_visible_child(do) == (False, True, True)


def show_memory() -> None:
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE


@needs_root
def test_it_stays_hidden_from_the_user_that_a_process_becomes() -> None:
    def do() -> tuple[bool, bool]:
        hide_memory()
        become(NOBODY)
        parent = os.getpid()

        def look() -> bool:
            try:
                Path(f"/proc/{parent}/mem").open("rb").close()
            except PermissionError:
                return False
            return True

        return is_memory_hidden(), in_child(look)

    assert in_child(do) == (True, False)


@needs_root
def test_a_hidden_process_can_lend_itself_a_file() -> None:
    def do() -> bytes:
        become(NOBODY)
        hide_memory()
        with lent_as_file(b"key") as path:
            return Path(path).read_bytes()

    assert in_child(do) == b"key"
