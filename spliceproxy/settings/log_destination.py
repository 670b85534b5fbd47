"""Where log lines go, as users write it: `stdout`, `file:PATH`, `syslog:…`."""

from dataclasses import dataclass
from typing import Literal

from spliceproxy.errors import quote, suggest
from spliceproxy.settings.address import (
    UNIX_PREFIX,
    TcpAddress,
    UnixAddress,
    parse_tcp,
    parse_unix,
)

Kind = Literal["stdout", "stderr", "file", "syslog", "log", "none"]

FILE_PREFIX, SYSLOG_PREFIX, UDP_PREFIX = "file:", "syslog:", "udp://"
SYSTEM_LOG = UnixAddress("/dev/log")
LOG_FORMS = "stdout, stderr, file:PATH, syslog, syslog:unix:PATH or syslog:udp://HOST:PORT"
ACCESS_LOG_FORMS = f"log, none, {LOG_FORMS}"

_WORDS: tuple[Kind, ...] = ("stdout", "stderr")
_ACCESS_WORDS: tuple[Kind, ...] = ("log", "none")
_MAX_PATH_BYTES = 4095  # PATH_MAX without its NUL


@dataclass(frozen=True, slots=True)
class LogDestination:
    """Where log lines go."""

    kind: Kind
    path: str = ""
    """Of a file."""
    address: TcpAddress | UnixAddress | None = None
    """Of a syslog daemon: UDP, or a unix datagram socket."""

    def __str__(self) -> str:
        if self.kind == "file":
            return FILE_PREFIX + self.path
        if isinstance(self.address, TcpAddress):
            return f"{SYSLOG_PREFIX}{UDP_PREFIX}{self.address}"
        return (
            self.kind if self.address in (None, SYSTEM_LOG) else SYSLOG_PREFIX + str(self.address)
        )


STANDARD_OUTPUT = LogDestination("stdout")
WITH_THE_LOG = LogDestination("log")
NOWHERE = LogDestination("none")


def parse_log_destination(text: str) -> LogDestination:
    """Return where the log goes; ValueError says what is wrong and what is expected."""
    return _parse(text, _WORDS, LOG_FORMS)


def parse_access_log_destination(text: str) -> LogDestination:
    """Return where the lines of connections go: also with the log, or nowhere."""
    if text == "false":
        return NOWHERE
    return _parse(text, (*_ACCESS_WORDS, *_WORDS), ACCESS_LOG_FORMS)


def _parse(text: str, words: tuple[Kind, ...], forms: str) -> LogDestination:
    for word in words:
        if text == word:
            return LogDestination(word)
    if text == "syslog":
        return LogDestination("syslog", address=SYSTEM_LOG)
    if text.startswith(FILE_PREFIX):
        return LogDestination("file", path=_check_path(text.removeprefix(FILE_PREFIX)))
    if text.startswith(SYSLOG_PREFIX):
        return LogDestination("syslog", address=_parse_daemon(text.removeprefix(SYSLOG_PREFIX)))
    hint = suggest(text, (*words, "syslog"))
    raise ValueError(f"{quote(text)} is no place for log lines{hint}: expected {forms}")


def _parse_daemon(text: str) -> TcpAddress | UnixAddress:
    if text.startswith(UNIX_PREFIX):
        return parse_unix(text)
    if text.startswith(UDP_PREFIX):
        return parse_tcp(text.removeprefix(UDP_PREFIX))
    raise ValueError(f"{quote(text)} is no syslog daemon: expected unix:PATH or udp://HOST:PORT")


def _check_path(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"{quote(path)} is no absolute path: expected file:/PATH")
    if not path.isprintable():  # it is to appear in messages as it is
        raise ValueError(f"path {quote(path)} holds a character that is not printable")
    if len(path.encode(errors="surrogateescape")) > _MAX_PATH_BYTES:
        raise ValueError(f"path {quote(path)} has more than {_MAX_PATH_BYTES} bytes")
    return path
