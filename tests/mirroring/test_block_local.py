"""`overflow=block` where the mirror is a file or a command."""

from pathlib import Path

import pytest
import trio

from tests.mirroring.holding import BLOCK, BUFFER_BYTES, DATA, KERNEL_BYTES, ONE_FILL_BYTES, Traffic
from tests.mirroring.mirrored import mirrored
from tests.proxy.judge import exchange
from tests.proxy.payload import assert_same
from tests.proxy.relay import TLS_MODES, Mode, eventually, three_modes
from tests.sinks.places import FilePlace, make_place


async def test_a_command_that_ends_takes_its_connection_with_it() -> None:
    with trio.fail_after(30):
        async with mirrored(f"exec:head -c 1{BLOCK}") as proxied:
            connection = await proxied.connect()
            await connection.client.send(b"x")
            # Nothing is under way when it ends.
            assert (await connection.client.receive_rest())[1] == "reset"
            assert (await proxied.line())["reason"] == "mirror_failed"


@three_modes
async def test_a_file_that_keeps_up_holds_nothing_for_good(mode: Mode, tmp_path: Path) -> None:
    place = FilePlace(tmp_path)
    with trio.fail_after(30):
        async with mirrored(f"{place.text}?overflow=block&buffer=1", mode=mode) as proxied:
            connection = await proxied.connect()
            await exchange(connection, DATA[:3_000_000], b"", seed=1, largest=300_000)
            assert (await proxied.account(direction="request"))["state"] == "complete"
    assert_same(place.stream("request"), DATA[:3_000_000])


@three_modes
async def test_a_slow_command_holds_back_and_gets_all(mode: Mode, tmp_path: Path) -> None:
    place = make_place("exec", tmp_path, held=True)
    with trio.fail_after(30):
        async with (
            mirrored(place.text + BLOCK, mode=mode) as proxied,
            trio.open_nursery() as nursery,
        ):
            connection = await proxied.connect()
            traffic = Traffic(connection, nursery)
            await traffic.held(proxied)
            assert len(traffic.received) <= BUFFER_BYTES + ONE_FILL_BYTES + KERNEL_BYTES
            place.release()
            await eventually(lambda: len(traffic.received) == len(DATA))
            traffic.stop()
            connection.client.finish()
            connection.backend.finish()
            account = await proxied.account()
    assert (account["delivered_bytes"], account["state"]) == (len(DATA), "complete")
    received = await place.received()
    assert received is not None
    assert_same(received, DATA)


@pytest.mark.parametrize("sender", ["client", "backend"])
async def test_a_goodbye_by_tls_that_was_read_before_the_source_was_held(
    sender: str, tmp_path: Path
) -> None:
    """No FIN follows, so that no event tells of it when the source may be read on."""
    place = FilePlace(tmp_path)
    text = f"{place.text}?overflow=block&buffer=1"
    with trio.fail_after(30):
        async with mirrored(text, mode=TLS_MODES["tls-both"]) as proxied:
            speaker, listener = (await proxied.connect()).ends(sender)
            await speaker.send(DATA[:10_000])
            speaker.finish_tls()
            assert await listener.receive_rest() == (DATA[:10_000], "eof")
            listener.finish()
            assert (await proxied.line())["reason"] == "closed"
