"""Findings as text and as JSON."""

import json

from spliceproxy.doctor.finding import FindingStatus, fail, ok, warn, worst
from spliceproxy.doctor.report import as_json, as_text, summary

FINDINGS = [
    ok("system.kernel", "Linux 6.1, x86_64", release="6.1"),
    warn("network.backlog", "128 connections may wait to be accepted", "sysctl -w a=1"),
    fail("splice.tcp4", "TCP over IPv4: refused with EPERM", "allow splice(2)"),
]


def test_the_worst_status() -> None:
    assert worst(FINDINGS) is FindingStatus.FAIL
    assert worst(FINDINGS[:2]) is FindingStatus.WARN
    assert worst(FINDINGS[:1]) is FindingStatus.OK
    assert worst([]) is FindingStatus.OK


def test_text_that_is_not_wrapped() -> None:
    margin = " " * len("warn  network.backlog  ")
    assert [paragraph for _, paragraph in as_text(FINDINGS)] == [
        "ok    system.kernel    Linux 6.1, x86_64",
        f"warn  network.backlog  128 connections may wait to be accepted\n{margin}-> sysctl -w a=1",
        f"fail  splice.tcp4      TCP over IPv4: refused with EPERM\n{margin}-> allow splice(2)",
    ]
    assert [status for status, _ in as_text(FINDINGS)] == ["ok", "warn", "fail"]


def test_text_that_is_wrapped() -> None:
    long = [warn("a.b", "word " * 30, "--set fs.pipe-user-pages-soft=1234567 " * 3)]
    [(_, paragraph)] = as_text(long, 60)
    lines = paragraph.splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert all(line.startswith(" " * 11) for line in lines[1:])
    assert sum(line.startswith(" " * 11 + "-> ") for line in lines) == 1
    assert paragraph.count("word") == 30
    [(_, narrow)] = as_text(long, 5)  # what is no terminal's width
    assert narrow == paragraph


def test_json() -> None:
    content = json.loads(as_json(FINDINGS))
    assert content.keys() == {"format", "version", "status", "findings"}
    assert (content["format"], content["status"]) == (1, "fail")
    assert content["findings"][:2] == [
        {
            "check": "system.kernel",
            "status": "ok",
            "fact": "Linux 6.1, x86_64",
            "remedy": "",
            "values": {"release": "6.1"},
        },
        {
            "check": "network.backlog",
            "status": "warn",
            "fact": "128 connections may wait to be accepted",
            "remedy": "sysctl -w a=1",
            "values": {},
        },
    ]


def test_summary() -> None:
    assert summary(FINDINGS) == "1 ok, 1 warn, 1 fail"
    assert summary([]) == "0 ok, 0 warn, 0 fail"
