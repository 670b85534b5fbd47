"""The kernel's files about this machine and this process."""

import re
from dataclasses import dataclass
from pathlib import Path

_CAPABILITIES = {"CAP_NET_BIND_SERVICE": 10, "CAP_SYS_ADMIN": 21, "CAP_SYS_RESOURCE": 24}
"""Bits of CapEff (linux/capability.h)."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the kernel's files are; a sandbox may lack any of them."""

    root: Path = Path("/")

    def read(self, path: str) -> str | None:
        """Return a file's text without blanks around it; None when it cannot be read."""
        try:
            return (self.root / path.lstrip("/")).read_text(errors="replace").strip()
        except OSError:
            return None

    def sysctl(self, name: str) -> str | None:
        """Return a setting of the kernel, as `sysctl -n` prints it; None when it has none."""
        return self.read(f"proc/sys/{name.replace('.', '/')}")

    def sysctl_numbers(self, name: str) -> tuple[int, ...]:
        """Return the numbers of a setting; empty when the kernel has none, or no numbers."""
        words = (self.sysctl(name) or "").split()
        return tuple(map(int, words)) if all(word.isdecimal() for word in words) else ()

    def sysctl_number(self, name: str) -> int | None:
        """Return a setting that is one number."""
        return next(iter(self.sysctl_numbers(name)), None)

    def memory(self) -> dict[str, int]:
        """Return the entries of /proc/meminfo, in bytes (proc_meminfo(5)); empty without it."""
        entries = re.findall(r"^(\S+):\s+(\d+) kB$", self.read("proc/meminfo") or "", re.MULTILINE)
        return {name: int(kibibytes) << 10 for name, kibibytes in entries}

    def process_status(self, field: str) -> str | None:
        """Return a field of /proc/self/status (proc_pid_status(5))."""
        text = self.read("proc/self/status") or ""
        found = re.search(rf"^{field}:[ \t]*(.*)$", text, re.MULTILINE)
        return found[1] if found else None

    def capabilities(self) -> list[str]:
        """Return those of this process's effective capabilities that matter to the proxy."""
        bits = int(self.process_status("CapEff") or "0", 16)
        return [name for name, bit in _CAPABILITIES.items() if bits >> bit & 1]

    def filters_calls(self) -> bool:
        """Whether a seccomp filter decides on this process's system calls (seccomp(2))."""
        return self.process_status("Seccomp") == "2"

    def container(self) -> str | None:
        """Return the kind of container around this process; None when there is no sign of one.

        What the engines leave: see systemd's container interface, and the files that Docker and
        Podman make.
        """
        if self.read("run/.containerenv") is not None:
            return "podman"
        if self.read(".dockerenv") is not None:
            return "docker"
        named = self.read("run/systemd/container")
        if named:
            return named
        group = re.search(r"docker|kubepods|libpod|lxc", self.read("proc/self/cgroup") or "")
        return group[0] if group else None
