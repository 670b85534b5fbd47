"""The TLS of the admin interface: one for each entry of its `listen`."""

from collections.abc import Iterator
from typing import NoReturn

from spliceproxy.errors import StartProblem
from spliceproxy.settings.admin import AdminSettings
from spliceproxy.settings.proxy import Settings
from spliceproxy.tls.certificate_files import ServerFiles, read_server_files
from spliceproxy.tls.file_problem import TlsFileError
from spliceproxy.tls.server_contexts import ServerTls, make_server_tls

AdminFiles = tuple[ServerFiles | None, ...]
"""What the files of each entry hold; None: it is without TLS."""

Path = tuple[str | int, ...]


def read_admin_files(admin: AdminSettings) -> AdminFiles:
    """Read what the settings name, and try it out. Blocks.

    Raises:
        StartProblem: something cannot be used.
    """
    files: list[ServerFiles | None] = [None] * len(admin.listen)
    for index, listen in enumerate(admin.listen):
        if listen.tls is not None:
            try:
                files[index] = read_server_files(listen.tls)
            except TlsFileError as problem:
                _refuse(index, problem)
    make_admin_tls(admin, tuple(files))
    return tuple(files)


def make_admin_tls(admin: AdminSettings, files: AdminFiles) -> tuple[ServerTls | None, ...]:
    """Return what the clients of each entry are spoken to with.

    Raises:
        StartProblem: OpenSSL refuses what was read.
    """
    made: list[ServerTls | None] = [None] * len(admin.listen)
    for index, listen in enumerate(admin.listen):
        its_files = files[index]
        if listen.tls is not None and its_files is not None:
            try:
                made[index] = make_server_tls(listen.tls, its_files)
            except TlsFileError as problem:
                _refuse(index, problem)
    return tuple(made)


def find_admin_mistakes(settings: Settings) -> Iterator[tuple[None, Path, str]]:
    """Look at all files; yield None, as this is of no route, the path, and a message. Blocks."""
    for index, listen in enumerate(settings.admin.listen):
        if listen.tls is not None:
            try:
                make_server_tls(listen.tls, read_server_files(listen.tls))
            except TlsFileError as problem:
                yield None, ("admin", "listen", index, "tls", *problem.path), problem.message


def _refuse(index: int, problem: TlsFileError) -> NoReturn:
    """Name the place of what cannot be used."""
    what, _, remedy = problem.message.partition(": ")
    place = ".".join(map(str, (f"listen[{index}]", "tls", *problem.path)))
    raise StartProblem(f"admin: {place}: {what}", remedy) from None
