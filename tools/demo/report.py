"""The demo's output: what a step's clients counted, beside what the proxy reported."""

from collections.abc import Sequence
from dataclasses import dataclass

from .proxy_log import Event
from .traffic import Transfer


@dataclass(frozen=True)
class Step:
    """One step of the demo, seen from both sides."""

    name: str
    duration_s: float
    transfers: Sequence[Transfer]
    reported: Sequence[Event]

    def problems(self) -> list[str]:
        """Return what is wrong, in words; nothing when all is right."""
        problems = []
        damaged = sum(not transfer.is_intact() for transfer in self.transfers)
        if damaged:
            problems.append(f"{damaged} of {len(self.transfers)} transfers arrived damaged")
        for field in ("request_bytes", "response_bytes"):
            counted = sum(getattr(transfer, field) for transfer in self.transfers)
            if counted != self._reported(field):
                problems.append(f"{field}: sent {counted}, reported {self._reported(field)}")
        unclean = [event["reason"] for event in self.reported if event["reason"] != "closed"]
        if unclean:
            problems.append(f"{len(unclean)} connections ended as {', '.join(set(unclean))}")
        return problems

    def _reported(self, field: str) -> int:
        return sum(event[field] for event in self.reported)

    def lines(self) -> list[str]:
        """Return the two lines that describe the step."""
        count = len(self.transfers)
        payload_mb = sum(transfer.payload_bytes for transfer in self.transfers) / 1e6
        pace = f"{payload_mb / self.duration_s:,.0f} MB/s"
        if count > 1:
            pace = f"{count / self.duration_s:,.0f} connections/s"
        spliced, copied = self._reported("spliced_bytes"), self._reported("copied_bytes")
        intact = sum(transfer.is_intact() for transfer in self.transfers)
        checksum = f" {self.transfers[0].sha256[:12]}" if count == 1 else "s"
        verdict = "equal" if intact == count else f"DIFFER ({count - intact} of {count})"
        return [
            f"  {self.name:<24}{payload_mb:>9,.1f} MB in {self.duration_s:5.2f} s, {pace}",
            f"  {'':<24}spliced {spliced:,} bytes, copied {copied:,}; checksum{checksum} {verdict}",
        ]
