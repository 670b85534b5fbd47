"""What to run: the works and peers that were asked for, less those that cannot run here."""

import difflib
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from tools.bench import peers
from tools.bench.errors import BenchError
from tools.bench.peers import Peer
from tools.bench.works.work import Work

T = TypeVar("T")


def pick(wanted: str, known: Mapping[str, T], what: str) -> list[T]:
    """Return the named things of a comma-separated list, each once."""
    names = dict.fromkeys(name.strip() for name in wanted.split(",") if name.strip())
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise BenchError(f"unknown {what} '{name}' (known: {', '.join(known)}){hint}")
    if not names:
        raise BenchError(f"no {what} named (known: {', '.join(known)})")
    return [known[name] for name in names]


def variant(text: str, command: Sequence[str]) -> Peer:
    """Return the variant of spliceproxy that 'NAME=OPTIONS' describes."""
    name, equals, options = text.partition("=")
    if not name or not equals:
        raise BenchError(f"variant '{text}' is not NAME=OPTIONS")
    return peers.spliceproxy(name, command, shlex.split(options))


def installed_peers(wanted: Iterable[Peer]) -> tuple[dict[Peer, str], list[str]]:
    """Return the peers that run here with their versions, and a reason for each that does not."""
    versions: dict[Peer, str] = {}
    reasons: list[str] = []
    for peer in wanted:
        try:
            versions[peer] = peers.version(peer)
        except BenchError as error:
            reasons.append(str(error))
    return versions, reasons


def runnable_works(wanted: Iterable[Work]) -> tuple[list[Work], list[str]]:
    """Return the works whose programs are there, and a reason for each other one."""
    runnable: list[Work] = []
    reasons: list[str] = []
    for work in wanted:
        missing = [program for program in work.programs if shutil.which(program) is None]
        if missing:
            reasons.append(f"{work.name}: not found: {', '.join(missing)}")
        else:
            runnable.append(work)
    return runnable, reasons


def fit_peers(work: Work, contestants: Iterable[Peer]) -> tuple[list[Peer], list[str]]:
    """Return the peers for which this work makes sense, and a reason for each other one."""
    fit: list[Peer] = []
    reasons: list[str] = []
    for peer in contestants:
        if work.name in peer.unfit_works:
            reasons.append(f"{peer.name} from {work.name}: {peer.unfit_reason}")
        else:
            fit.append(peer)
    return fit, reasons
