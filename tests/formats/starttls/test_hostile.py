"""Whatever comes, a negotiation asks for more, goes on, or refuses by name, within its bounds."""

from collections.abc import Callable
from functools import partial
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy import reasons
from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.starttls.negotiation import MAX_BYTES, Negotiation, StartTlsError, Then
from spliceproxy.formats.starttls.protocols import STARTTLS
from spliceproxy.observe.termination import CAUSES

SIDES: dict[str, Callable[[], Negotiation]] = {
    **{f"{name} server": partial(each.server_side, "h") for name, each in STARTTLS.items()},
    **{f"{name} client": partial(each.client_side, "h") for name, each in STARTTLS.items()},
    **{
        f"{name} greeting": each.read_greeting
        for name, each in STARTTLS.items()
        if each.read_greeting is not None
    },
}
WORDS = [
    b"\r\n",
    b" ",
    b"-",
    b"* OK [CAPABILITY ",
    b"* BYE",
    b"S1 OK",
    b"STARTTLS",
    b"220",
    b"250",
    b"EHLO h",
    b"QUIT",
    b"a LOGOUT",
    b"\0\0\0\x08\x04\xd2\x16\x2f",
    b"\0\0\0\x10\x04\xd2\x16\x2e",
    b"\0\0\0\x08\x04\xd2\x16\x30",
    b"\x16\x03\x01",
    b"S",
    b"N",
]
STREAMS = st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=8)), max_size=40)
NAMED = {value for value in vars(reasons).values() if isinstance(value, str)}


@pytest.mark.parametrize("side", SIDES)
@given(words=STREAMS, sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8))
def test_any_bytes_in_any_pieces(side: str, words: list[bytes], sizes: list[int]) -> None:
    why = feed(SIDES[side](), b"".join(words), sizes)
    assert why is None or (why in CAUSES and why in NAMED)


def feed(negotiation: Negotiation, stream: bytes, sizes: list[int]) -> str | None:
    """Why the negotiation refuses what comes in pieces of these sizes; None: it does not."""
    negotiation.begin()
    seen, needed, turns = 0, 1, 0
    more = cycle(sizes)
    while seen < len(stream):
        seen = min(len(stream), seen + next(more))
        while needed <= seen:
            try:
                answer = negotiation.read(stream[:seen])
            except StartTlsError as error:
                return error.why
            if isinstance(answer, NeedMore):
                assert seen < answer.length <= MAX_BYTES
                needed = answer.length
                continue
            turns += 1
            assert turns < 100
            assert 0 <= answer.take <= seen
            assert len(answer.say) <= MAX_BYTES
            stream, seen, needed = stream[answer.take :], seen - answer.take, 1
            if answer.then is not Then.MORE:
                # What is left is a TLS hello, or a request to cancel, which nobody has read.
                assert not seen or not answer.take
                return None
            assert answer.take
    return None
