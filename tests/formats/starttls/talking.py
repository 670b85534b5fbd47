"""Negotiations of starttls against one another, and in pieces."""

from spliceproxy.formats.need_more import NeedMore
from spliceproxy.formats.starttls.negotiation import Negotiation, StartTlsError, Then, Turn


def play(negotiation: Negotiation, *said: bytes) -> list[bytes | Then]:
    """What a negotiation answers, word for word; what it ends in is the last."""
    answers: list[bytes | Then] = [negotiation.begin()]
    for word in said:
        turn = read(negotiation, word)
        answers.append(turn.say)
        if turn.then is not Then.MORE:
            answers.append(turn.then)
    return answers


def read(negotiation: Negotiation, word: bytes) -> Turn:
    """The turn for one whole word, of which the negotiation leaves nothing."""
    turn = negotiation.read(word)
    assert isinstance(turn, Turn)
    assert turn.take == len(word) or turn.then is not Then.MORE
    return turn


def refusal(negotiation: Negotiation, *said: bytes) -> StartTlsError:
    """Why a negotiation refuses the last word."""
    negotiation.begin()
    *before, last = said
    for word in before:
        read(negotiation, word)
    try:
        answer = negotiation.read(last)
    except StartTlsError as error:
        return error
    raise AssertionError(answer)


def converse(client: Negotiation, server: Negotiation) -> None:
    """Let two sides talk until both go on by TLS; each gets the other's words byte by byte."""
    waiting = {client: server.begin(), server: client.begin()}
    others = {client: server, server: client}
    ended = set[Negotiation]()
    while len(ended) < 2:
        negotiation = next(each for each in others if waiting[each] and each not in ended)
        turn = in_pieces(negotiation, waiting[negotiation])
        waiting[negotiation] = waiting[negotiation][turn.take :]
        waiting[others[negotiation]] += turn.say
        if turn.then is Then.TLS:
            ended.add(negotiation)
    assert not any(waiting.values())


def in_pieces(negotiation: Negotiation, data: bytes) -> Turn:
    """The turn for what comes byte by byte, asked whenever there is as much as was asked for."""
    needed = 1
    for length in range(len(data) + 1):
        if length < needed:
            continue
        answer = negotiation.read(data[:length])
        if isinstance(answer, Turn):
            return answer
        assert isinstance(answer, NeedMore)
        assert answer.length > length
        needed = answer.length
    raise AssertionError("it waits for more")
