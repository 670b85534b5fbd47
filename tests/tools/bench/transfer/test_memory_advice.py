"""Sentences about memory, batches and io_uring say what the figures say."""

from tests.tools.bench.transfer.made import result, results
from tools.bench.results import WorkResult
from tools.bench.transfer import answers, batches, memory, memory_advice, uring
from tools.bench.transfer.trial import CPU, FAULTS, Trial
from tools.bench.works.work import Sample

TIMES = "\N{MULTIPLICATION SIGN}"
MADE = {trial.name: trial for trial in [*memory.trials(), *batches.trials(), *uring.trials()]}


def spoken(*works: WorkResult) -> list[str]:
    return [line.replace(TIMES, "x") for line in memory_advice.sentences(results(*works))]


def answered(cpu: float, segments: float, calls: float, switches: float = 1.0) -> list[Sample]:
    metrics = (answers.CPU, answers.SEGMENTS, answers.CALLS, answers.SWITCHES)
    values = (cpu, segments, calls, switches)
    return [{metric.name: value for metric, value in zip(metrics, values, strict=True)}]


def test_memory_that_is_written_once() -> None:
    samples: dict[str, list[Sample]] = {
        "send 64 KiB": [{CPU.name: 0.2}],
        "send 1 MiB": [{CPU.name: 0.1}],
        "vmsplice 64 KiB": [{CPU.name: 0.2}],
        "vmsplice 1 MiB": [{CPU.name: 0.06}],
        "vmsplice gift 1 MiB": [{CPU.name: 0.063}],
        "MSG_ZEROCOPY 1 MiB": [{CPU.name: 0.2, memory.COPIED.name: 1.0}],
        "uring send_zc 1 MiB": [{}],
    }
    assert spoken(result(MADE[memory.KEPT], samples)) == [
        (
            "Memory that is written once: vmsplice takes this much of send's CPU: 1.00x with "
            "64 KiB, 0.60x with 1 MiB."
        ),
        "SPLICE_F_GIFT makes this of vmsplice's CPU: 1.05x with 1 MiB.",
        "MSG_ZEROCOPY, of which loopback copied 100%, takes of send's CPU: 2.00x with 1 MiB.",
    ]


def test_memory_that_is_written_for_each_piece() -> None:
    samples: dict[str, list[Sample]] = {
        "send 1 MiB": [{CPU.name: 0.1}],
        "vmsplice 1 MiB": [{CPU.name: 0.5, FAULTS.name: 244_140.6}],
    }
    [sentence] = spoken(result(MADE[memory.ANEW], samples))
    assert "take 5.00x with 1 MiB of the CPU" in sentence
    assert "with 244,141 page faults per GB" in sentence


def test_batches() -> None:
    many = {"send each": answered(40, 16, 16), "sendmsg": answered(10, 12, 1)}
    files = {"sendfile each": answered(40, 16, 16), "sendfile, TCP_CORK": answered(30, 12, 18)}
    headed = {"send each": answered(40, 47, 2), "vmsplice": answered(50, 46, 2)}
    works = (MADE[batches.MANY], many), (MADE[batches.FILES], files), (MADE[batches.HEADED], headed)
    assert spoken(*(result(*work) for work in works)) == [
        (
            "16 pieces of 1 KiB by sendmsg: 12 segments and 1 call instead of 16 and 16, 0.25x the "
            "CPU."
        ),
        (
            "A header and 64 KiB of memory in one vector by vmsplice: 46 segments and 2 calls "
            "instead of 47 and 2, 1.25x the CPU."
        ),
        (
            "16 files of 1 KiB by sendfile, TCP_CORK: 12 segments and 18 calls instead of 16 and "
            "16, 0.75x the CPU."
        ),
    ]


def test_rings_are_compared_with_rings() -> None:
    files: dict[str, list[Sample]] = {
        "splice 1 MiB": [{CPU.name: 0.1}],
        "read, send 1 MiB": [{CPU.name: 0.2}],
        "uring splice 1 MiB": [{CPU.name: 0.3}],
        "uring read, send 1 MiB": [{CPU.name: 0.4}],
        "uring splice linked 1 MiB": [{CPU.name: 0.39}],
        "uring read+send linked 1 MiB": [{CPU.name: 0.3}],
    }
    messages = {
        "splice": answered(10, 1, 3, 1.0),
        "recv, send": answered(20, 1, 3, 1.0),
        "uring splice": answered(36, 1, 3, 5.5),
        "uring recv, send": answered(30, 1, 3, 1.0),
    }
    works = (MADE[uring.FILE], files), (MADE[uring.MESSAGE], messages)
    assert spoken(*(result(*work) for work in works)) == [
        (
            "With 1 MiB, splice takes 0.50x the CPU of read and send; by io_uring, where a thread "
            "of the kernel's does it, 0.75x, and linked 1.30x."
        ),
        (
            "A message of 100 bytes: splice takes 0.50x the CPU of recv and send; by io_uring "
            "1.20x, with 5.5 context switches instead of 1.0."
        ),
    ]


def test_nothing_measured_is_nothing_said() -> None:
    def empty(trial: Trial) -> dict[str, list[Sample]]:
        return {contestant: [{}] for contestant in trial.contestants}

    assert spoken(*(result(trial, empty(trial)) for trial in MADE.values())) == []
