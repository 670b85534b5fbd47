"""Whether the kernel moves bytes for this process, by each call and on each kind of descriptor."""

import errno
import signal
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from pathlib import Path

from spliceproxy.doctor.channels import CHANNELS, NoChannelError, Opener, file_in
from spliceproxy.doctor.finding import Finding, FindingStatus, Value, fail, ok
from spliceproxy.doctor.kills import killed_by
from spliceproxy.doctor.machine import Machine
from spliceproxy.doctor.needs import Need
from spliceproxy.doctor.transfers import WrongBytes, splice_both_ways
from spliceproxy.doctor.trials import TRIALS, Trial
from spliceproxy.kernel.refusals import SANDBOXED
from spliceproxy.kernel.splice_refusals import STARVED_REMEDY


def check_calls(machine: Machine, needs: Collection[Need]) -> Iterator[Finding]:
    """Try each call on each kind of descriptor that it is used on."""
    signals: dict[str, signal.Signals | None] = {}
    for trial in TRIALS:
        name, opener = CHANNELS[trial.channel]
        # A filter may kill whoever makes a call that it does not allow: ask in a child first.
        if trial.call not in signals:
            call = partial(_make, trial, opener)
            signals[trial.call] = killed_by(call) if machine.filters_calls() else None
        if killer := signals[trial.call]:
            yield judge_kill(trial, name, killer.name, needs)
        else:
            yield try_out(trial, name, opener, needs)


def check_directories(directories: Iterable[Path], needs: Collection[Need]) -> Iterator[Finding]:
    """Try splice on a file in each directory of a file mirror that is there already."""
    otherwise = "this mirror fails, and loses its copies"
    for directory in directories:
        if directory.is_dir():
            trial = Trial(
                "splice", f"mirror:{directory}", splice_both_ways, otherwise, Need.FILE_MIRRORS
            )
            yield try_out(trial, f"files in {directory}", _file_opener(directory), needs)


def _file_opener(directory: Path) -> Opener:
    return lambda: file_in(directory)


def try_out(trial: Trial, name: str, opener: Opener, needs: Collection[Need]) -> Finding:
    """Open the channel, make the call, and judge what came of it."""
    try:
        with opener() as channel:
            try:
                trial.move(channel)
            except NoChannelError:
                raise
            except OSError as error:
                return judge_refusal(trial, name, error, needs)
            except WrongBytes as problem:
                return judge_wrong_bytes(trial, name, problem)
    except OSError as error:
        return ok(trial.check, f"{name}: not tried, cannot be had here ({_reason(error)})")
    if trial.refusal:
        promised = errno.errorcode[trial.refusal]
        return ok(trial.check, f"{name}: works, where {trial.call}(2) promises {promised}")
    return ok(trial.check, f"{name}: works")


def judge_refusal(trial: Trial, name: str, error: OSError, needs: Collection[Need]) -> Finding:
    """Return what an errno means."""
    if error.errno == trial.refusal:
        fact = f"{name}: refused with {_reason(error)}, as it should be; {trial.otherwise}"
        return ok(trial.check, fact, errno=_reason(error))
    if error.errno == errno.EAGAIN and trial.call == "splice":  # what was readable, into a pipe
        fact = f"{name}: {trial.call}(2) finds nothing of what has arrived; {trial.otherwise}"
        return _refused(trial, fact, STARVED_REMEDY, needs, errno=_reason(error))
    if error.errno in SANDBOXED:
        remedy = f"allow {trial.call}(2) in the sandbox's seccomp profile"
    else:
        remedy = "use another kernel, or another file system where it is one's refusal"
    fact = f"{name}: refused with {_reason(error)}; {trial.otherwise}"
    return _refused(trial, fact, remedy, needs, errno=_reason(error))


def judge_kill(trial: Trial, name: str, killer: str, needs: Collection[Need]) -> Finding:
    """Return what it means that a call ends its process."""
    fact = f"{name}: not tried; {trial.call}(2) ends the process by {killer}"
    remedy = f"allow {trial.call}(2) in the sandbox's seccomp profile, or let it answer EPERM"
    return _refused(trial, fact, remedy, needs, signal=killer)


def judge_wrong_bytes(trial: Trial, name: str, problem: WrongBytes) -> Finding:
    """Return the verdict on a call that cannot be trusted, whoever needs it."""
    remedy = "use another kernel; until then write `splice: false` into the routes file"
    return fail(trial.check, f"{name}: {problem}", remedy)


def _refused(
    trial: Trial, fact: str, remedy: str, needs: Collection[Need], **values: Value
) -> Finding:
    status = FindingStatus.FAIL if trial.need in needs else FindingStatus.WARN
    if trial.need is Need.TRAFFIC:
        remedy += "; `splice: false` in the routes file accepts the copying"
    return Finding(trial.check, status, fact, remedy, values)


def _make(trial: Trial, opener: Opener) -> None:
    with opener() as channel:
        trial.move(channel)


def _reason(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, str(error))
