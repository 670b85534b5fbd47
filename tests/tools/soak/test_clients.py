"""The soak's clients and backend notice what is not as it was sent."""

import random
from collections.abc import Awaitable, Callable

import pytest
import trio

from tools.soak import backend
from tools.soak.addresses import Address
from tools.soak.clients import KINDS, Client, Kind
from tools.soak.exchange import parse_header
from tools.soak.load import Front, Load, Outcome, Visit
from tools.soak.stream import EarlyEndError, Stream

Serve = Callable[[Stream], Awaitable[None]]
ANSWERED = [kind for kind in KINDS if kind.name in ("short", "download", "stalling")]


async def visit(kind: Kind, serve: Serve) -> Visit:
    """Return how it goes for one client of that kind, at such a backend."""

    async def handle(sock: trio.SocketStream) -> None:
        with Stream(sock.socket) as stream:
            try:
                await serve(stream)
            except (OSError, EarlyEndError):
                return

    stopping = trio.Event()
    stopping.set()  # so that nobody pauses
    with trio.fail_after(50):
        async with trio.open_nursery() as nursery:
            [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
            nursery.start_soon(trio.serve_listeners, handle, [listener])
            address = Address(*listener.socket.getsockname())
            load = Load([Front("steady", [address])], seed=1)
            await load.visit(load.fronts[0], kind, random.Random(1), stopping)
            nursery.cancel_scope.cancel()
    [visited] = load.visits
    return visited


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_all_is_right_at_a_good_backend(kind: Kind) -> None:
    visited = await visit(kind, backend.serve)
    assert (visited.outcome, visited.detail) == (Outcome.INTACT, "")
    assert visited.sent_bytes > 0


async def answer_badly(stream: Stream) -> None:
    request = parse_header(await stream.line())
    await stream.body_sha256(request.request_bytes)
    await stream.send(request.request_sha256.encode() + b"\n")
    await stream.send_body(request.response_bytes, seed=-1)
    stream.finish()


async def lose_the_request(stream: Stream) -> None:
    request = parse_header(await stream.line())
    await stream.body_sha256(request.request_bytes)
    await stream.send(b"0" * 64 + b"\n")
    stream.finish()


async def end_early(stream: Stream) -> None:
    request = parse_header(await stream.line())
    await stream.body_sha256(request.request_bytes)
    await stream.send(request.request_sha256.encode() + b"\n")
    stream.finish()


async def reset_at_once(stream: Stream) -> None:
    await stream.line()


@pytest.mark.parametrize("kind", ANSWERED, ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    ("serve", "outcome", "detail"),
    [
        (answer_badly, Outcome.DAMAGED, "the response"),
        (lose_the_request, Outcome.DAMAGED, "the request"),
        (end_early, Outcome.DAMAGED, "an orderly end, too early"),
        (reset_at_once, Outcome.CUT, "Connection reset by peer"),
    ],
)
async def test_what_is_wrong_is_told(
    kind: Kind, serve: Serve, outcome: Outcome, detail: str
) -> None:
    visited = await visit(kind, serve)
    assert (visited.outcome, visited.detail) == (outcome, detail)


async def test_an_orderly_end_instead_of_a_reset_is_told() -> None:
    [kind] = [kind for kind in KINDS if kind.name == "reset by the backend"]
    assert (await visit(kind, end_early)).outcome == Outcome.DAMAGED


async def test_the_backend_tells_of_a_request_that_has_changed() -> None:
    async def change(client: Client) -> None:
        await client.stream.send(b"answer 4 0 1\nabcd")
        client.stream.end()
        await client.check_end()

    told = []

    async def serve(stream: Stream) -> None:
        try:
            await backend.serve(stream)
        except ValueError as error:
            told.append(str(error))

    await visit(Kind("changing", change, 1), serve)
    assert told == ["other bytes than were sent"]
