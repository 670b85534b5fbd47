"""`exec:COMMAND`: the stream on a command's standard input.

A command is kept as it is, since `?` is common in commands: the last `?` starts the options only
when nothing but `name=value` pairs joined by `&` follows it. Only `%3F` is read as something else,
as a `?` that never starts options.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from spliceproxy.settings.bounds import count_up_to
from spliceproxy.settings.mirror_kinds.exec_environment import (
    SCHEMA,
    Variable,
    parse_names,
    read_variables,
    write_variables,
)
from spliceproxy.settings.mirror_kinds.kind import MirrorKind, Scope, SinkSettings
from spliceproxy.settings.mirror_kinds.option import Option, choice, flag

if TYPE_CHECKING:
    from spliceproxy.settings.mirror import MirrorSettings

SHELL = ("/bin/sh", "-c")

_PAIR = r"(?:env=[\w.%+,-]*|[A-Za-z_-]+=[\w.%+-]*)"
_PAIRS = re.compile(rf"{_PAIR}(?:&{_PAIR})*")


MAX_PROCESSES = 65_536
DEFAULT_PROCESSES = 64


@dataclass(frozen=True, slots=True)
class ExecSettings:
    """What only commands have."""

    variables: tuple[Variable, ...] = ()
    """Of its environment, beside those that every command has."""
    max_processes: int = DEFAULT_PROCESSES
    """That may run at once, of this mirror in each worker."""


class ExecKind(MirrorKind):
    """The target is the command as it is written; it is split into words unless a shell gets it."""

    name = "exec"
    form = "exec:COMMAND"
    overflows = ("detach", "spill", "block")  # as for tcp
    options = {  # noqa: RUF012
        "env": Option("env", parse_names, read_variables, SCHEMA, has_structure=True),
        "max_processes": Option("max_processes", count_up_to(MAX_PROCESSES)),
        "scope": choice("scope", *get_args(Scope)),
        "shell": flag("shell"),
    }
    has_plain_question_marks = True
    starts_programs = True

    def split(self, text: str) -> tuple[str, str]:
        """See `MirrorKind.split`."""
        name, _, query = text.rpartition("?")
        return (name, query) if name and _PAIRS.fullmatch(query) else (text, "")

    def parse_sink(self, text: str, options: dict[str, Any]) -> SinkSettings:
        """See `MirrorKind.parse_sink`."""
        target = re.sub("%3F", "?", text, flags=re.IGNORECASE)
        command = _parse(target, shell=options.pop("shell", False))
        own = ExecSettings(
            options.pop("env", ()),
            options.pop("max_processes", DEFAULT_PROCESSES),
        )
        return SinkSettings(target, command=command, own=own)

    def find_conflict(self, options: Mapping[str, Any]) -> tuple[str, str] | None:
        """See `MirrorKind.find_conflict`."""
        if options.get("scope") != "route":
            return None
        if options.get("overflow") == "spill":
            return "overflow", "overflow=spill is not for scope=route: expected detach or block"
        if "max_processes" in options:
            return "max_processes", "max_processes is not for scope=route, which has one process"
        return None

    def write_options(self, mirror: "MirrorSettings") -> dict[str, Any]:
        """See `MirrorKind.write_options`."""
        options: dict[str, Any] = {"scope": mirror.scope, "shell": mirror.command[:2] == SHELL}
        if mirror.scope != "route":
            options["max_processes"] = mirror.own.max_processes
        if mirror.own.variables:
            options["env"] = write_variables(mirror.own.variables)
        return options


def _parse(text: str, *, shell: bool) -> tuple[str, ...]:
    try:
        # A shell has a syntax of its own, which is its own business.
        command = [*SHELL, text] if shell and text.strip() else shlex.split(text)
    except ValueError as problem:
        raise ValueError(f"the command's quoting is wrong: {str(problem).lower()}") from None
    if not command or not command[0]:
        raise ValueError("the command is empty: expected exec:COMMAND, as in exec:'zstd -qo a.zst'")
    return tuple(command)
