"""Whether eBPF programs may take the proxy's sockets from splice."""

import errno
from collections.abc import Iterator

from spliceproxy.doctor.finding import Finding, ok, warn
from spliceproxy.doctor.kills import killed_by
from spliceproxy.doctor.machine import Machine
from spliceproxy.kernel.sockmaps import find_sockmaps
from spliceproxy.kernel.splice_refusals import STARVED_REMEDY

_CHECK = "splice.sockmaps"
_MOST_NAMED = 5


def check_sockmaps(machine: Machine) -> Iterator[Finding]:
    """Look for sockmaps, where this user may; the trials of splice see what they do here."""
    # A filter may kill whoever makes a call that it does not allow: ask in a child first.
    if machine.filters_calls() and killed_by(find_sockmaps):
        yield _unknown("a filter kills for bpf(2)")
        return
    try:
        yield judge_sockmaps(find_sockmaps())
    except OSError as error:
        why = errno.errorcode.get(error.errno or 0, str(error))
        yield _unknown(f"bpf(2): refused with {why}")


def judge_sockmaps(names: list[str]) -> Finding:
    """Warn of sockmaps: whose sockets are in them cannot be seen."""
    if not names:
        return ok(_CHECK, "no sockmap: no eBPF program takes sockets from splice", sockmaps=[])
    more = ", …" if len(names) > _MOST_NAMED else ""
    told = ", ".join(names[:_MOST_NAMED])
    fact = f"{len(names)} sockmaps ({told}{more}): connections whose sockets are in one are copied"
    return warn(_CHECK, fact, STARVED_REMEDY, sockmaps=names)


def _unknown(why: str) -> Finding:
    return ok(_CHECK, f"sockmaps of eBPF programs cannot be looked for here ({why})", sockmaps=None)
