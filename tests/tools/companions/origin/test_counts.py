"""What is counted, and where that is told."""

from pathlib import Path

from tools.companions.origin.counts import Count, Counts

from .serving import request, serving, talk


async def test_requests_and_bytes(root: Path) -> None:
    counts = Counts()
    async with serving(root, counts=counts) as port:
        received = await talk(port, request("/text.txt") + request("/no"))
        await talk(port, b"nonsense\r\n\r\n")
    totals = counts.totals()
    assert (totals[Count.CONNECTIONS], totals[Count.REQUESTS], totals[Count.REFUSED]) == (2, 3, 2)
    assert totals[Count.SENT_BYTES] > len(received)
    assert totals[Count.CUT] == 0


def test_workers_write_into_rows_of_their_own() -> None:
    counts = Counts(2)
    first, second = counts.row(0), counts.row(1)
    first[Count.REQUESTS] += 2
    second[Count.REQUESTS] += 3
    second[Count.CUT] += 1
    assert counts.totals()[Count.REQUESTS] == 5
    assert counts.line() == "0 connections, 5 requests, 0 bytes sent, 1 cut"
