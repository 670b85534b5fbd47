"""Replays whose target gives other tokens than the recorded backend."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from spliceproxy.replay.replay_options import Pace
from spliceproxy.replay.value_patterns import ValuePattern
from tests.capture.recorded import Recorded
from tests.replay.recordings import connections, replayed
from tests.replay.target import Met, Serve, read_all, target_of

TOKEN = ValuePattern.parse('"token":"([^"]+)"')
each_pace = pytest.mark.parametrize("pace", list(Pace))


def record(directory: Path, *talks: list[tuple[bytes, bytes]]) -> None:
    """Connections one after the other; a request with ``|`` comes in two pieces."""
    recorded = Recorded(directory)
    at_ms = 0.0
    for number, exchanges in enumerate(talks, 1):
        recorded.open(number, at_ms)
        sent = received = 0
        for request, answer in exchanges:
            for piece in request.split(b"|"):
                at_ms += 1
                recorded.data(number, piece, at_ms, offset=sent)
                sent += len(piece)
            recorded.data(number, answer, at_ms + 1, direction="response", offset=received)
            received += len(answer)
        recorded.end(number, sent, at_ms + 2)
        recorded.end(number, received, at_ms + 3, direction="response")
        recorded.close(number, at_ms + 4)
    recorded.seal()


def login_server(token: Callable[[], bytes]) -> Serve:
    async def serve(stream: trio.SocketStream, met: Met) -> None:
        def answer(data: bytes) -> bytes:
            return b'{"token":"%b"}' % token() if b"login" in data else b"ok"

        await read_all(stream, met, answer)

    return serve


@each_pace
async def test_a_live_token_is_in_later_requests(tmp_path: Path, pace: Pace) -> None:
    """Also where it came in two pieces, and when nothing but that is waited for."""
    record(
        tmp_path,
        [
            (b"login", b'{"token":"recorded-1"}'),
            (b"use recor|ded-1;", b"ok"),
            (b"recorded-1", b"ok"),
        ],
    )
    numbers = itertools.count()
    server = login_server(lambda: b"live-token-%d" % next(numbers))
    async with target_of(server) as target:
        end = await replayed(tmp_path, target.address, pace, substitutes=(TOKEN,), copies=2)
    expected = [b"loginuse live-token-%d;live-token-%d" % (number, number) for number in range(2)]
    assert sorted(target.requests) == expected
    assert end.is_complete
    assert end.summary["substitutions"] == {
        "made": 4,
        "without_value": 0,
        "lengths_changed": 4,
        "matches": {TOKEN.text: {"recorded": 1, "live": 2}},
    }
    assert len(end.hints) == 1


async def test_other_connections_have_it_if_asked_for(tmp_path: Path) -> None:
    record(tmp_path, [(b"login", b'{"token":"recorded"}')], [(b"use recorded", b"ok")])
    server = login_server(lambda: b"ofnow123")
    for across, used in ((False, b"use recorded"), (True, b"use ofnow123")):
        async with target_of(server) as target:
            # Both begin at once, so that the second has to wait for the first.
            end = await replayed(
                *(tmp_path, target.address, Pace.MAX),
                substitutes=(TOKEN,),
                substitutes_across=across,
            )
        assert sorted(target.requests) == [b"login", used]
        assert (end.is_complete, end.hints) == (True, [])


async def test_without_a_live_value_the_recorded_one_is_sent_and_that_is_said(
    tmp_path: Path,
) -> None:
    pattern = ValuePattern.parse("=(other)=")
    talk = [(b"hello", b'{"token":"recorded"}'), (b"recorded", b"ok"), (b"recorded", b"ok")]
    record(tmp_path, talk)
    async with target_of(login_server(bytes)) as target:
        end = await replayed(
            *(tmp_path, target.address, Pace.MAX),
            substitutes=(TOKEN, pattern),
            answer_timeout_s=0.05,
        )
    assert target.requests == [b"hellorecordedrecorded"]
    assert connections(end) | {"replayed": 1} == connections(end)
    told = end.summary["substitutions"]
    assert isinstance(told, dict)
    assert (told["made"], told["without_value"]) == (0, 2)
    assert end.hints == [
        "--substitute: '=(other)=' never matched in recorded answers",
        f"--substitute: {TOKEN.text!r} never matched in answers of the target",
    ]


async def test_a_length_of_http_is_put_right_also_before_its_body_has_come(tmp_path: Path) -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n"
    body = b'{"t":"recorded"}'
    record(tmp_path, [(b"login", b'{"token":"recorded"}'), (head % len(body) + b"|" + body, b"ok")])
    async with target_of(login_server(lambda: b"of-now")) as target:
        end = await replayed(tmp_path, target.address, Pace.ANSWERS, substitutes=(TOKEN,))
    assert target.requests == [b"login" + head % (len(body) - 2) + b'{"t":"of-now"}']
    assert (end.is_complete, end.hints) == (True, [])
