"""From a request to an answer: finds the file, its index or its listing."""

import os
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from tools.companions.origin import listing
from tools.companions.origin.answer import Answer, OpenFile, page
from tools.companions.origin.file_answer import answer_file
from tools.companions.origin.refusals import Refusal
from tools.companions.origin.request import Request
from tools.companions.origin.root import Root
from tools.companions.origin.targets import Target, parse_target
from tools.companions.origin.validators import FileVersion

_INDEX = b"index.html"
_HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class MadePage:
    """What makes a page for each request, and its type."""

    make: Callable[[], bytes]
    media_type: str


@dataclass(frozen=True, slots=True)
class Site:
    """A root and how it is shown; `pages` are those that the server makes itself, by path."""

    root: Root
    lists_directories: bool = False
    pages: Mapping[bytes, MadePage] = field(default_factory=dict)

    def answer(self, request: Request) -> Answer:
        """Answer a request.

        Raises:
            Refusal: with the error status.
            OSError: an unforeseen error of the file system.
        """
        if request.method not in ("GET", "HEAD"):
            allow = (("Allow", "GET, HEAD"),)
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD", allow)
        target = parse_target(request.target)
        made = self.pages.get(b"/" + target.path)
        if made is not None:
            fresh = (("Cache-Control", "no-store"),)
            return page(HTTPStatus.OK, made.make(), made.media_type, fresh)
        found = self._find(target)
        if isinstance(found, Answer):
            return found
        try:
            return answer_file(found, request, time.time())
        except BaseException:
            found.close()
            raise

    def _find(self, target: Target) -> OpenFile | Answer:
        """Return the file, or what stands for a directory."""
        fd = self.root.open(target.path)
        status = os.fstat(fd)
        if not stat.S_ISDIR(status.st_mode):
            file = _regular_file(fd, status, target)
            if target.is_directory:
                file.close()
                raise Refusal(HTTPStatus.NOT_FOUND)
            return file
        try:
            if not target.is_directory:
                location = (("Location", target.as_directory()),)
                return Answer(HTTPStatus.MOVED_PERMANENTLY, location)
            return self._find_index(target) or self._list(fd, target)
        finally:
            os.close(fd)

    def _find_index(self, directory: Target) -> OpenFile | None:
        target = Target((*directory.names, _INDEX), is_directory=False)
        try:
            fd = self.root.open(target.path)
        except Refusal as refusal:
            if refusal.status is HTTPStatus.NOT_FOUND:
                return None
            raise
        return _regular_file(fd, os.fstat(fd), target)

    def _list(self, directory_fd: int, target: Target) -> Answer:
        if not self.lists_directories:
            raise Refusal(HTTPStatus.FORBIDDEN, "a directory without an index.html")
        entries, is_cut = listing.list_directory(directory_fd)
        html = listing.render(b"/".join(target.names), entries, is_cut=is_cut)
        return page(HTTPStatus.OK, html, _HTML)


def _regular_file(fd: int, status: os.stat_result, target: Target) -> OpenFile:
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise Refusal(HTTPStatus.FORBIDDEN, "not a regular file")
    return OpenFile(fd, FileVersion.of(status), os.fsdecode(target.names[-1]), target.path)
