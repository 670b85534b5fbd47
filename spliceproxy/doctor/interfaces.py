"""Whether network interfaces take what splice gives them: scattered pages, in large pieces."""

from collections.abc import Iterator
from pathlib import Path

from spliceproxy.doctor.finding import Finding, ok, warn
from spliceproxy.doctor.machine import Machine
from spliceproxy.kernel import ethtool

_UP, _LOOPBACK = 0x1, 0x8  # IFF_*, linux/if.h


def check_interfaces(machine: Machine) -> Iterator[Finding]:
    """Ask every interface that is up; loopback has no hardware to spare."""
    names = [name for name in interfaces(machine.root / "sys/class/net") if is_used(machine, name)]
    if not names:
        yield ok("interfaces.none", "no interface is up but loopback")
    for name in names:
        try:
            is_virtual = not (machine.root / "sys/class/net" / name / "device").exists()
            yield judge_offloads(name, ethtool.offloads(name), is_virtual=is_virtual)
        except OSError as error:
            fact = f"{name}: does not tell its offloads ({error.strerror})"
            yield ok(f"interfaces.{name}", fact)


def interfaces(directory: Path) -> list[str]:
    """Return the names of all network interfaces."""
    try:
        return sorted(path.name for path in directory.iterdir() if path.is_dir())
    except OSError:  # a sandbox without /sys
        return []


def is_used(machine: Machine, name: str) -> bool:
    """Whether an interface is up, and not loopback."""
    flags = int(machine.read(f"sys/class/net/{name}/flags") or "0", 16)
    return flags & (_UP | _LOOPBACK) == _UP


def judge_offloads(name: str, on: dict[str, bool], *, is_virtual: bool) -> Finding:
    """Say what is off, what that costs, and how to turn it on.

    A virtual interface gets packets that are merged already, or were never split; GRO is off by
    default on the veth pairs of containers.
    """
    losses, switches = [], []
    if not on["scatter_gather"]:
        losses.append("scatter-gather is off, so each packet is copied together before it is sent")
        switches.append("sg on")
    if not on["tcp_segmentation"] and not on["generic_segmentation"]:
        losses.append("TSO and GSO are off, so the kernel sends single packets")
        switches.append("gso on")
    if not on["generic_receive"] and not is_virtual:
        losses.append("GRO is off, so each packet takes a slot of a pipe")
        switches.append("gro on")
    if not losses:
        return ok(f"interfaces.{name}", f"{name}: {_describe(on)}", **on)
    remedy = f"ethtool -K {name} {' '.join(switches)}"
    return warn(f"interfaces.{name}", f"{name}: {'; '.join(losses)}", remedy, **on)


_WORDS = {
    "scatter_gather": "scatter-gather",
    "transmit_checksums": "checksums",
    "tcp_segmentation": "TSO",
    "generic_segmentation": "GSO",
    "generic_receive": "GRO",
}


def _describe(on: dict[str, bool]) -> str:
    present = ", ".join(word for name, word in _WORDS.items() if on[name])
    absent = ", ".join(word for name, word in _WORDS.items() if not on[name])
    return f"{present} on" + (f"; {absent} off" if absent else "")
