"""Spliceproxy with a mirror of each kind, and HAProxy with tcpdump beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.bench import mirror_account, peers, placement, ports, proxy_configs
from tools.bench.loads import mirror_sinks, tcpdump
from tools.bench.peers import Peer, Target
from tools.bench.works.work import Sample

CAPTURE = "capture-block"
HAPROXY_TCPDUMP = "haproxy-tcpdump"
HAPROXY_TCPDUMP_NOTE = (
    f"{HAPROXY_TCPDUMP}: `tcpdump -i lo -w FILE port PORT` with its default buffer, "
    f"{tcpdump.DEFAULT_BUFFER}; CPU is that of both programs, without what the kernel spends in "
    "the load's system calls on handing tcpdump its copies"
)
# Its connection lines hold the mirror's account: one line a connection, for the baseline as well.
# A dead mirror would hold up the end of the proxy for as long as a drain may take.
OPTIONS = ("--log-level", "info", "--log-format", "json", "--drain-timeout", "1s")


@dataclass(frozen=True)
class Place:
    """Where a mirror sends to, while it is there, and how to find what has arrived."""

    url: str
    account: Callable[[str], Sample]


BLOCK = "?overflow=block"  # the source waits for the mirror, which so loses nothing

OpenPlace = Callable[[placement.Placement, Path], AbstractContextManager[Place]]


@contextmanager
def _null(_where: placement.Placement, _directory: Path) -> Iterator[Place]:
    yield Place("null:", mirror_account.of_stream)


@contextmanager
def _file(_where: placement.Placement, directory: Path) -> Iterator[Place]:
    files = directory / "audit"
    files.mkdir()
    yield Place(f"file:{files}", lambda log: mirror_account.of_files(log, files))


@contextmanager
def _capture(_where: placement.Placement, directory: Path) -> Iterator[Place]:
    segments = directory / "capture"
    yield Place(f"capture:{segments}", lambda log: mirror_account.of_segments(log, segments))


def _tcp(port: int) -> Place:
    return Place(f"tcp://{ports.HOST}:{port}", mirror_account.of_stream)


@contextmanager
def _draining(where: placement.Placement, directory: Path) -> Iterator[Place]:
    with mirror_sinks.draining(where, directory) as port:
        yield _tcp(port)


@contextmanager
def _dead(_where: placement.Placement, _directory: Path) -> Iterator[Place]:
    with mirror_sinks.dead() as port:
        yield _tcp(port)


@contextmanager
def _refusing(_where: placement.Placement, _directory: Path) -> Iterator[Place]:
    with mirror_sinks.refusing() as port:
        yield _tcp(port)


def capturing(name: str, command: Sequence[str], options: Sequence[str]) -> Peer:
    """Return spliceproxy with these options and a capture, which loses nothing."""
    return _mirroring(name, command, _capture, BLOCK, options)


def _mirroring(
    name: str,
    command: Sequence[str],
    open_place: OpenPlace,
    policy: str = "",
    options: Sequence[str] = (),
) -> Peer:
    """Return spliceproxy with one mirror; what that has written is removed with the block."""

    @contextmanager
    def start(backend_port: int, where: placement.Placement, directory: Path) -> Iterator[Target]:
        with (
            TemporaryDirectory(dir=directory, prefix=f"{name}-") as own,
            open_place(where, Path(own)) as place,
        ):
            mirror = ("--mirror", place.url + policy)
            peer = peers.spliceproxy(name, command, [*OPTIONS, *options, *mirror])
            with peers.started(peer, backend_port, where, Path(own)) as target:
                yield target
            log = Path(own, f"{name}.out").read_text(errors="replace")
            target.account.update(place.account(log))

    return replace(peers.spliceproxy(name, command), start=start)


@contextmanager
def _haproxy_and_tcpdump(
    backend_port: int, where: placement.Placement, directory: Path
) -> Iterator[Target]:
    with TemporaryDirectory(dir=directory, prefix=f"{HAPROXY_TCPDUMP}-") as own:
        capture = Path(own, "capture.pcap")
        haproxy = Peer("haproxy", proxy_configs.haproxy, ())
        with peers.started(haproxy, backend_port, where, Path(own)) as target:
            with tcpdump.capturing(target.port, capture, where, Path(own)) as child:
                yield replace(target, helper_pids=(child.pid,))
            counts = child.output.read_text(errors="replace")
            target.account.update(mirror_account.of_capture(counts, capture))


def built_in(command: Sequence[str] = peers.SPLICEPROXY_COMMAND) -> dict[str, Peer]:
    """Return every peer that can be named; ratios are taken to spliceproxy without a mirror."""
    all_peers = [
        replace(peers.spliceproxy(command=command, options=OPTIONS), is_baseline=True),
        _mirroring("null", command, _null),
        _mirroring("file", command, _file),
        _mirroring("file-block", command, _file, BLOCK),
        _mirroring(CAPTURE, command, _capture, BLOCK),
        _mirroring("tcp", command, _draining),
        _mirroring("tcp-block", command, _draining, BLOCK),
        _mirroring("tcp-dead", command, _dead),
        _mirroring("tcp-refused", command, _refusing),
        replace(peers.built_in()["haproxy"], is_baseline=False),
        Peer(
            HAPROXY_TCPDUMP,
            proxy_configs.haproxy,
            ("tcpdump", "--version"),
            "apt install haproxy tcpdump",
            start=_haproxy_and_tcpdump,
        ),
    ]
    return {peer.name: peer for peer in all_peers}
