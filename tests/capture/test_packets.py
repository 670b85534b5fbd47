"""Captures as packets, judged by the programs that read such files."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spliceproxy.capture
from spliceproxy.formats.tcp_frame import TcpEnd, TcpFlag, encode_tcp_frame
from tests.capture.recorded import BEGAN_NS, Recorded
from tests.proxy.payload import random_bytes


@pytest.fixture(autouse=True)
def _readers(program: Callable[[str], str]) -> None:
    for name in ("tshark", "capinfos", "tcpflow", "tcpdump"):
        program(name)


def convert(recorded: Recorded, directory: Path) -> Path:
    recorded.seal()
    path = directory / "all.pcapng"
    capture = spliceproxy.capture.open(directory)
    path.write_bytes(b"".join(spliceproxy.capture.to_pcapng(capture.events())))
    return path


def tshark(path: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["tshark", "-n", "-r", path, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def packets(path: Path) -> list[dict[str, Any]]:
    fields = ("frame.time_epoch", "tcp.flags.str", "tcp.len", "tcp.seq_raw", "tcp.ack_raw")
    more = ("tcp.checksum.status", "ip.checksum.status", "_ws.expert.message", "frame.comment")
    wanted = [argument for field in (*fields, *more) for argument in ("-e", field)]
    checks = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
    found = json.loads(tshark(path, *checks, "-T", "json", *wanted))
    return [packet["_source"]["layers"] for packet in found]


def experts(path: Path) -> list[str]:
    """What Wireshark finds worth a warning."""
    wanted = "_ws.expert.severity >= 0x600000"  # and errors; its Notes have each FIN
    return tshark(path, "-Y", wanted, "-T", "fields", "-e", "_ws.expert.message").splitlines()


def stream(path: Path, number: int, direction: str) -> bytes:
    """What Wireshark's *Follow TCP stream* gives for one direction."""
    told = tshark(path, "-q", "-z", f"follow,tcp,raw,{number}")
    nodes, lines = told.split("Node 0: ")[1], told.split("Node 1: ")[1].splitlines()[1:]
    is_client_first = nodes.splitlines()[0] == client_of(path, number)
    wanted = [line for line in lines if line and not line.startswith("=")]
    is_second = (direction == "response") == is_client_first
    return b"".join(bytes.fromhex(line) for line in wanted if line.startswith("\t") == is_second)


def client_of(path: Path, number: int) -> str:
    """Who sent the first packet of a connection, as that view writes it."""
    syn = f"tcp.stream == {number} && tcp.flags.syn == 1 && tcp.flags.ack == 0"
    fields = ("ip.src", "ipv6.src", "tcp.srcport")
    wanted = [argument for field in fields for argument in ("-e", field)]
    [line] = tshark(path, "-Y", syn, "-T", "fields", *wanted).splitlines()
    v4, v6, port = line.split("\t")
    return f"{v4}:{port}" if v4 else f"[{v6}]:{port}"


def talk(recorded: Recorded, number: int, **facts: str) -> tuple[bytes, bytes]:
    """A connection with two questions and large answers, ended in order."""
    request = b"question 0" + b"question 1"
    response = random_bytes(300_000, number)
    recorded.open(number, number, is_continued=False, **facts)
    for turn in range(2):
        at = number + turn * 10
        recorded.data(number, request[turn * 10 :][:10], at + 1, offset=turn * 10)
        half = response[turn * 150_000 :][:150_000]
        recorded.data(number, half, at + 2, direction="response", offset=turn * 150_000)
    recorded.end(number, 20, number + 30)
    recorded.end(number, 300_000, number + 31, direction="response")
    recorded.close(number, number + 32)
    return request, response


@pytest.mark.parametrize(
    ("client", "backend"),
    [
        ("192.0.2.1:40001", "198.51.100.7:40080"),
        ("[2001:db8::1]:40001", "[2001:db8::2]:40080"),
        ("192.0.2.1:40001", "[2001:db8::2]:40080"),
        ("unix", "/run/app.sock"),
    ],
)
def test_wireshark_reads_it_without_a_warning_and_follows_each_stream(
    tmp_path: Path, client: str, backend: str
) -> None:
    recorded = Recorded(tmp_path)
    sent = [
        talk(recorded, number, client=client.replace("40001", f"4000{number}"), backend=backend)
        for number in (1, 2)
    ]
    path = convert(recorded, tmp_path)
    assert experts(path) == []
    for number, (request, response) in enumerate(sent):
        assert stream(path, number, "request") == request
        assert stream(path, number, "response") == response
    found = packets(path)
    assert all(packet["tcp.checksum.status"] == ["1"] for packet in found)
    assert all(packet.get("ip.checksum.status", ["1"]) == ["1"] for packet in found)
    assert [packet["tcp.flags.str"] for packet in found[:3]] == [
        ["··········S·"],
        ["·······A··S·"],
        ["·······A····"],
    ]
    first_ns = BEGAN_NS + 1_000_000
    assert found[0]["frame.time_epoch"][0] == f"{first_ns // 10**9}.{first_ns % 10**9:09d}"
    assert "route default" in found[0]["frame.comment"][0]


def test_resets_and_gaps_show_and_nothing_else_does(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.open(1)
    recorded.data(1, b"abc", 1)
    recorded.gap(1, 3, 10, 2, reason="file_enospc")
    recorded.data(1, b"def", 3, offset=13)
    recorded.end(1, 16, 4, is_reset=True)
    recorded.end(1, 0, 4, direction="response", is_reset=True)
    recorded.close(1, 5)
    path = convert(recorded, tmp_path)
    told = experts(path)
    expected = ("Connection reset (RST)", "Previous segment", "ACKed segment that wasn't captured")
    assert told
    assert [line for line in told if not any(words in line for words in expected)] == []
    found = packets(path)
    comments = [packet["frame.comment"][0] for packet in found if "frame.comment" in packet]
    assert comments[1] == "10 bytes are missing here: file_enospc"
    assert [packet["tcp.seq_raw"][0] for packet in found if packet["tcp.len"] == ["3"]] == [
        "1",
        "14",
    ]


def test_what_begins_in_mid_stream_has_no_handshake(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.open(1, is_continued=True)
    recorded.data(1, b"abc", 1, offset=1000)
    path = convert(recorded, tmp_path)
    found = packets(path)
    assert [packet["tcp.seq_raw"][0] for packet in found] == ["1001", "0"]


def test_other_programs_read_it_too(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    request, response = talk(recorded, 1)
    path = convert(recorded, tmp_path)
    told = subprocess.run(["capinfos", "-c", path], capture_output=True, text=True, check=True)
    assert "Number of packets" in told.stdout
    flows = tmp_path / "flows"
    subprocess.run(["tcpflow", "-q", "-r", path, "-o", flows], capture_output=True, check=True)
    found = {path.read_bytes() for path in flows.iterdir() if path.suffix != ".xml"}
    assert found == {request, response}
    listed = subprocess.run(["tcpdump", "-nvr", path], capture_output=True, text=True, check=True)
    assert "correct" in listed.stdout
    assert "incorrect" not in listed.stdout


_ips = st.sampled_from([4, 16]).flatmap(
    lambda size: st.tuples(
        st.binary(min_size=size, max_size=size), st.binary(min_size=size, max_size=size)
    )
)


@given(_ips, st.integers(0, 2**40), st.integers(0, 2**40), st.binary(max_size=200))
@settings(max_examples=200)
def test_checksums_are_right(ips: tuple[bytes, bytes], seq: int, ack: int, data: bytes) -> None:
    frame = encode_tcp_frame(TcpEnd(ips[0], 1), TcpEnd(ips[1], 2), seq, ack, TcpFlag.ACK, data)
    header = 20 if len(ips[0]) == 4 else 40
    segment = frame[14 + header :]
    pseudo = ips[0] + ips[1] + len(segment).to_bytes(4) + (6).to_bytes(4)
    assert folded_sum(pseudo + segment) == 0xFFFF
    if header == 20:
        assert folded_sum(frame[14:34]) == 0xFFFF


def folded_sum(data: bytes) -> int:
    """As RFC 1071 has it, word by word."""
    data += bytes(len(data) % 2)
    total = sum(int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_times_and_texts_that_no_proxy_writes_still_make_packets(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.open(1, route="\ud800")
    recorded.data(1, b"later", 1 << 44)
    recorded.seal()
    packets = b"".join(spliceproxy.capture.to_pcapng(spliceproxy.capture.open(tmp_path).events()))
    assert b"later" in packets


def test_a_unix_backend_has_one_address_and_no_port_that_means_something(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    for number in range(1, 30):
        recorded.open(number, client="unix", backend="unix:/run/app.sock")
        recorded.data(number, b"question", offset=0)
    path = convert(recorded, tmp_path)
    fields = ("ip.src", "ip.dst", "tcp.srcport", "tcp.dstport")
    wanted = [argument for field in fields for argument in ("-e", field)]
    lines = tshark(path, "-Y", "tcp.len > 0", "-T", "fields", *wanted).splitlines()
    ends = [line.split("\t") for line in lines]
    assert len({(end[0], end[2]) for end in ends}) == 29
    assert len({(end[1], end[3]) for end in ends}) == 1
    assert all(49_152 <= int(port) < 65_536 for end in ends for port in end[2:])
