"""Every stream of a listener: its receiver, its line of output, and the sum of all."""

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import trio

from tools.companions.sink.receivers import (
    ReadingReceiver,
    Receiver,
    SplicingReceiver,
    TruncatingReceiver,
)
from tools.companions.sink.reception import Behaviour, Reception


@dataclass(frozen=True)
class Place:
    """Where bytes go: files of a directory, or nowhere by one of three ways."""

    directory: Path | None
    discard: str
    checksum: bool

    def open_receiver(self, number: int) -> Receiver:
        """Make what takes a stream; file `number` is one that did not exist.

        Raises:
            OSError: the file cannot be made, or no pipe can be had.
        """
        if self.checksum:
            return ReadingReceiver(self._new_file(number) if self.directory else None)
        if self.directory:
            return _spliced(self._new_file(number))
        if self.discard == "splice":
            return _spliced(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC))
        return TruncatingReceiver()

    def _new_file(self, number: int) -> int:
        path = (self.directory or Path()) / f"{number:06}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return os.open(path, flags, 0o600)


def _spliced(file_fd: int) -> SplicingReceiver:
    try:
        return SplicingReceiver(file_fd)
    except BaseException:
        os.close(file_fd)
        raise


class Sink:
    """Counts streams, and asks to stop after so many of them (None: never)."""

    def __init__(self, place: Place, behaviour: Behaviour, most_streams: int | None) -> None:
        self.streams = 0
        self.received_bytes = 0
        self.enough = trio.Event()
        self._place = place
        self._behaviour = behaviour
        self._most_streams = most_streams
        self._accepted = 0

    async def handle(self, sock: socket.socket, peer: str) -> None:
        """Take one stream, and say how it went."""
        self._accepted += 1
        try:
            receiver = self._place.open_receiver(self._accepted)
        except OSError as error:
            print(f"{peer}: refused, {error}", flush=True)
            return
        reception = Reception(sock, receiver, self._behaviour)
        try:
            await reception.run()
        finally:
            receiver.close()
            self._account(peer, reception)

    def _account(self, peer: str, reception: Reception) -> None:
        self.streams += 1
        self.received_bytes += reception.received_bytes
        duration_s = time.monotonic() - reception.started_s
        mb_per_s = reception.received_bytes / 1e6 / max(duration_s, 1e-6)
        line = (
            f"{peer}: {reception.received_bytes} bytes in {duration_s:.3f} s "
            f"({mb_per_s:.1f} MB/s), {reception.end}"
        )
        if reception.receiver.sha256:
            line += f", sha256 {reception.receiver.sha256}"
        print(line, flush=True)
        if self.streams == self._most_streams:
            self.enough.set()
