"""Sending: header and body of an answer onto a socket, in turns of bounded size."""

import contextlib
import os
import socket
from collections.abc import Sequence

import trio

from spliceproxy.kernel.sockets import Socket
from tools.companions.origin.answer import OpenFile, Part
from tools.companions.origin.cold_reader import ColdReader
from tools.companions.origin.direct_files import DirectFiles
from tools.companions.origin.limits import Limits
from tools.companions.origin.ranges import ByteRange
from tools.companions.origin.senders import Technique
from tools.companions.techniques.direct import DirectSender
from tools.companions.techniques.sender import FileSender, FileShrunkError


class StalledError(Exception):
    """The client has taken nothing for as long as it may."""


class Delivery:
    """One connection's way out. After any exception the stream is broken: close, do not go on."""

    def __init__(
        self,
        sock: Socket,
        technique: Technique,
        limits: Limits,
        cold_reader: ColdReader | None = None,
        direct_files: DirectFiles | None = None,
    ) -> None:
        self._cold_reader = cold_reader
        self._direct_files = direct_files
        self._sock = sock
        self._technique = technique
        self._chunk_bytes = limits.chunk_bytes
        self._stall_timeout_s = limits.idle_timeout_s
        self.sent_bytes = 0  # of all answers, headers included

    async def send(
        self, header: bytes | memoryview, body: Sequence[Part], file: OpenFile | None
    ) -> None:
        """Send a header and a body; memory in one call with what goes before it.

        Raises:
            StalledError: the client takes nothing.
            FileShrunkError: the file has not the bytes any more that the header promised.
            OSError: the client has gone, or a sender has no pipe to be had.
        """
        if file is not None and _file_bytes(body) <= self._technique.copied_bytes:
            body = [
                part if isinstance(part, bytes) else await self._read(file, part) for part in body
            ]
        if file is None or not _file_bytes(body):
            await self._send_memory([header, *(part for part in body if isinstance(part, bytes))])
            return
        # The header and the file's first bytes share a segment, and no part ends in a small one.
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        await self._send_parts(header, body, file)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    async def _send_parts(
        self, header: bytes | memoryview, body: Sequence[Part], file: OpenFile
    ) -> None:
        pending = [header]
        for part in body:
            if isinstance(part, bytes):
                pending.append(part)
                continue
            direct = self._direct_files.open_sender(file, part) if self._direct_files else None
            sender = direct or self._technique.open_sender(file, part)
            try:
                await self._send_memory(pending)
                if direct is not None and self._cold_reader is not None:
                    await self._send_direct(direct, self._cold_reader)
                else:
                    await self._send_file(sender, file, part)
            finally:
                sender.close()
            pending = []
        await self._send_memory(pending)

    async def _send_memory(self, pieces: Sequence[bytes | memoryview]) -> None:
        left = [memoryview(piece) for piece in pieces if piece]
        while left:
            try:
                sent = self._sock.sendmsg(left, (), socket.MSG_NOSIGNAL)
            except BlockingIOError:
                await self._wait_for_room()
                continue
            self.sent_bytes += sent
            while left and sent >= len(left[0]):
                sent -= len(left.pop(0))
            if left:
                left[0] = left[0][sent:]

    async def _read(self, file: OpenFile, part: ByteRange) -> bytes:
        if self._cold_reader is None:
            read = os.pread(file.fd, part.length, part.offset)
        else:
            read = await self._cold_reader.read(file.fd, part.length, part.offset)
        if len(read) < part.length:
            raise FileShrunkError(part.offset + len(read), part.length - len(read))
        return read

    async def _send_file(self, sender: FileSender, file: OpenFile, part: ByteRange) -> None:
        while True:
            if self._cold_reader is not None:
                offset = part.offset + part.length - sender.left_bytes
                count = min(sender.left_bytes, self._chunk_bytes)
                await self._cold_reader.bring_in(file.fd, offset, count)
            with contextlib.suppress(BlockingIOError):
                self._take_turn(sender)
            if not sender.left_bytes:
                return
            # Also where there is room left: the others have their turn first.
            await self._wait_for_room()

    async def _send_direct(self, sender: DirectSender, reader: ColdReader) -> None:
        while sender.left_bytes:
            if not sender.held_bytes:
                await reader.run(sender.read)
            try:
                self.sent_bytes += sender.send_some(self._sock, sender.held_bytes)
            except BlockingIOError:
                await self._wait_for_room()

    def _take_turn(self, sender: FileSender) -> None:
        turn_bytes = self._chunk_bytes
        while turn_bytes and sender.left_bytes:
            taken = sender.send_some(self._sock, turn_bytes)
            self.sent_bytes += taken
            turn_bytes -= taken

    async def _wait_for_room(self) -> None:
        with trio.move_on_after(self._stall_timeout_s):
            await trio.lowlevel.wait_writable(self._sock)
            return
        raise StalledError


def _file_bytes(body: Sequence[Part]) -> int:
    return sum(part.length for part in body if isinstance(part, ByteRange))
