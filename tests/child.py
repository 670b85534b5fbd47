"""Something done in a child, which what it gives up dies with."""

import ctypes
import os
import pickle
import traceback
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
_PR_SET_DUMPABLE = 4


def in_child(do: Callable[[], Result]) -> Result:
    """Return what a forked child returns; what it raises fails the test."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(reader)
            told = pickle.dumps(do())
            with os.fdopen(writer, "wb") as file:
                file.write(told)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        told = file.read()
    assert os.waitpid(pid, 0)[1] == 0
    result: Result = pickle.loads(told)
    return result


def in_visible_child(do: Callable[[], Result]) -> Result:
    """Do it in a child whose memory is not hidden, though this process may have read keys."""

    def show_and_do() -> Result:
        assert ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0) == 0
        return do()

    return in_child(show_and_do)
