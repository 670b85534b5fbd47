"""openssl's s_client and s_server, whose commands of one letter a test may type."""

import os
import subprocess
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

WAIT_S = 20


class OpensslPeer:
    """A running program of openssl: what is typed is sent, but for commands; what it says is kept.

    It takes a letter for a command only as the first of what it reads at once. So each `enter` has
    to show some effect before the next one.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._said = bytearray()
        self._seen = 0
        self._changed = threading.Condition()
        self._is_over = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while chunk := os.read(self._process.stdout.fileno(), 1 << 16):
            with self._changed:
                self._said += chunk
                self._changed.notify_all()
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def enter(self, text: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def wait_for(self, text: bytes) -> None:
        """Wait until it says that, behind all that was waited for before."""
        with self._changed:
            self._changed.wait_for(lambda: self._find(text) >= 0 or self._is_over, WAIT_S)
            at = self._find(text)
            assert at >= 0, f"{text!r} was not said: {bytes(self._said[self._seen :])!r}"
            self._seen = at + len(text)

    def _find(self, text: bytes) -> int:
        return self._said.find(text, self._seen)

    def wait_end(self) -> bytes:
        """Wait until the program ends; all that it has said."""
        self._process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        return bytes(self._said)

    def kill(self) -> None:
        """End it without a word to its peer but the kernel's."""
        self._process.kill()
        self.wait_end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
