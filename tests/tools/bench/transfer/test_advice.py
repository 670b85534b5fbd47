"""Advice says what the figures say, and nothing where they say nothing."""

import pytest

from tests.tools.bench.transfer.made import result, results
from tools.bench.results import WorkResult
from tools.bench.transfer import advice, answers, corking, files, maps, pipes, relays, sizes
from tools.bench.transfer.trial import CPU, SYSCALLS, THROUGHPUT, Trial
from tools.bench.works.work import Sample

SIZES = (1024, 65536, 1 << 20)
TIMES = "\N{MULTIPLICATION SIGN}"


def trial(name: str) -> Trial:
    found = [*files.trials(), *sizes.trials(SIZES), *relays.trials(), *pipes.trials()]
    found += [*corking.trials(), *maps.trials()]
    return next(made for made in found if made.name == name)


def cost(cpu: float, rate: float = 1e9, calls: float = 16.0) -> Sample:
    return {CPU.name: cpu, THROUGHPUT.name: rate, SYSCALLS.name: calls}


def costs_by_size(*costs: float) -> Sample:
    return {sizes.cost_at(size).name: value for size, value in zip(SIZES, costs, strict=True)}


def spoken(*works: WorkResult) -> str:
    return "\n".join(advice.sentences(results(*works))).replace(TIMES, "x")


def test_the_cheapest_technique_is_named() -> None:
    samples = {
        "readwrite 64 KiB": [cost(0.2)],
        "readwrite 1 MiB": [cost(0.18)],
        "sendfile 4 KiB": [cost(0.15)],
        "sendfile 1 MiB": [cost(0.1, calls=1.5)],
    }
    assert spoken(result(trial(files.WARM), samples)) == (
        "A large file that is in memory costs least CPU with sendfile 1 MiB: 0.50x of "
        "readwrite 64 KiB, and 1.5 calls per MiB instead of 16.0."
    )


def test_buffers_are_spoken_of_where_they_outweigh_the_technique() -> None:
    samples = {
        "readwrite 64 KiB": [cost(0.2)],
        "readwrite 1 MiB": [cost(0.2)],
        "sendfile 4 KiB": [cost(0.5)],
        "sendfile 1 MiB": [cost(0.1)],
    }
    _cheapest, buffers = spoken(result(trial(files.WARM), samples)).splitlines()
    assert "(sendfile 4 KiB) costs 2.50x" in buffers
    assert "(readwrite 1 MiB)" in buffers


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        ((10, 15, 12), "less CPU than splice up to the largest"),
        ((4, 9, 5), "more CPU than splice at every size"),
        ((10, 9, 5), "less CPU than splice up to 1 KiB and more from 64 KiB on"),
        ((10, 10, 5), "less CPU than splice up to 1 KiB and more from 1 MiB on"),
        ((4, 12, 5), "less CPU than splice up to 64 KiB and more from 1 MiB on"),
        ((5, 9, 5), "more CPU than splice from 64 KiB on"),
        ((10, 9, 10), "less CPU than splice up to 1 KiB"),
        ((5, 10, 10), "about as much CPU as splice"),
    ],
)
def test_the_crossover_is_where_copying_stops_winning_for_good(
    costs: tuple[float, float, float], words: str
) -> None:
    samples: dict[str, list[Sample]] = {
        "readwrite": [costs_by_size(5, 10, 10)],
        "splice": [costs_by_size(*costs)],
        "mmap": [{}],
    }
    sentence = spoken(result(trial(sizes.SIZES_NAME), samples))
    assert sentence.startswith(f"Copying a whole file (readwrite) takes {words}: splice takes ")
    assert f"{costs[0] / 5:.2f}x its CPU at 1 KiB, {costs[2] / 10:.2f}x at 1 MiB." in sentence


def test_ratios_are_taken_round_by_round() -> None:
    samples = {
        "copy 1 MiB": [cost(0.1), cost(0.4), cost(0.1)],
        "splice 1 MiB": [cost(0.05), cost(0.2), cost(0.2)],
    }
    assert spoken(result(trial(relays.RELAY), samples)) == (
        "Between sockets, with 1 MiB, splice takes 0.50x the CPU of copying."
    )


def test_the_smallest_pipe_that_is_large_enough() -> None:
    samples = {
        "4 KiB": [cost(0.5)],
        "64 KiB": [cost(0.2)],
        "256 KiB": [cost(0.109)],
        "1 MiB": [cost(0.1)],
        "grows": [cost(0.12)],
    }
    assert spoken(result(trial(pipes.FILE), samples)) == (
        "From a file, 256 KiB is the smallest pipe within a tenth of the least CPU (1 MiB); the "
        "kernel's 64 KiB costs 2.00x.\n"
        "From a file, a pipe that grows from 4 KiB takes 1.20x the CPU of 1 MiB."
    )


def test_segments_and_the_wait_of_nagle() -> None:
    def answered(rate: float, cpu: float, segments: float) -> list[Sample]:
        names = (answers.RATE.name, answers.CPU.name, answers.SEGMENTS.name)
        return [dict(zip(names, (rate, cpu, segments), strict=True))]

    name = corking.work_name(corking.BODY_SIZES[0])
    samples = {
        corking.NODELAY: answered(10_000, 30, 2),
        corking.MORE: answered(11_000, 27, 1),
        corking.NAGLE: answered(22, 100, 2),
    }
    assert spoken(result(trial(name), samples)) == (
        "A header and a small body leave in 1.00 segments with MSG_MORE and in 2.00 with "
        "TCP_NODELAY alone, at 0.90x the CPU.\n"
        "With neither, the body waits for the acknowledgement of the header: 22 answers a second "
        "instead of 10,000."
    )


def test_maps_are_held_against_calls() -> None:
    def each(cpu: float, rate: float = 1.0) -> list[Sample]:
        return [{maps.CPU_EACH.name: cpu, maps.RATE.name: rate}]

    passes: dict[str, list[Sample]] = {
        maps.READ_BASELINE: [cost(0.4)],
        maps.FIRST: [cost(0.3)],
        maps.SECOND: [cost(0.2)],
        "windows 1 MiB": [cost(0.33)],
    }
    assert spoken(result(trial(maps.READ), passes)) == (
        "Read from end to end, a map takes 0.75x the CPU of read 64 KiB at once, and 0.50x in a "
        "second pass through the same map.\n"
        "A window that slides takes this much of a whole map's CPU: 1.10x with 1 MiB."
    )
    blocks = {maps.PREADV: each(2), maps.FIRST: each(3), maps.SECOND: each(1)}
    assert spoken(result(trial("map-random-4k"), blocks)) == (
        "For blocks of 4 KiB at random, a map that is kept takes 0.50x the CPU of preadv, and one "
        "that is new 1.50x."
    )
    records = {
        maps.SYNC_NONE: each(1, 50_000),
        maps.SYNC_PAGE: each(1, 500),
        maps.SYNC_ALL: each(1, 400),
        maps.SYNC_CALL: each(1, 1000),
    }
    assert spoken(result(trial(maps.WRITE), records)) == (
        "Records that are each safe on the disk: msync has 0.50x the rate of pwrite with "
        "fdatasync, and 0.80x that when it is given the whole map; without any msync a map takes "
        "100x as many."
    )
    filled = {
        maps.SMALL: [{CPU.name: 1.0, maps.FAULTS.name: 256.0}],
        maps.LARGE: [{CPU.name: 2.0, maps.FAULTS.name: 0.5}],
    }
    assert spoken(result(trial(maps.PAGES), filled)) == (
        "Fresh memory in large pages takes 0.5 faults per MiB instead of 256.0, and 2.00x the CPU "
        "of small ones."
    )


def test_nothing_measured_is_nothing_said() -> None:
    mapped = (maps.READ, maps.WRITE, maps.PAGES, *map(maps.random_name, maps.BLOCK_SIZES))
    sent = (files.WARM, files.COLD, sizes.SIZES_NAME, relays.RELAY, pipes.FILE, "cork-1k")
    for name in (*sent, *mapped):
        made = trial(name)
        empty: dict[str, list[Sample]] = {contestant: [{}] for contestant in made.contestants}
        assert spoken(result(made, empty)) == ""
