"""What a file without mistakes means."""

from pathlib import Path

import pytest

from spliceproxy.errors import ExitStatus, RefusedFile
from spliceproxy.kernel.cpus import usable_cpus
from spliceproxy.routes_file.load import load
from spliceproxy.settings.address import TcpAddress, UnixAddress
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.mirror import parse_mirror
from spliceproxy.settings.single_route import single_route
from spliceproxy.settings.timeouts import Timeouts
from tests.routes_file.reading import ROUTE, mistakes_of, settings_of


def test_a_file_and_a_command_line_are_one_model() -> None:
    text = """\
workers: 3
drain_timeout: 1m
splice: false
raise_nofile: false
mirror_budget: 64MiB
log: {format: json, level: debug}
routes:
- listen: [8080, "[::1]:81", "unix:/run/a"]
  backends: [a:1, {address: unix:/run/b}]
  backlog: 7
  max_connections: "100"
  timeouts: {connect: 250ms, idle: 10m, tcp_user: 30s}
  mirrors: ["null:", {to: "tcp://h:1", sample: 10%}]
"""
    assert settings_of(text) == single_route(
        (TcpAddress(None, 8080), TcpAddress("::1", 81), UnixAddress("/run/a")),
        (TcpAddress("a", 1), UnixAddress("/run/b")),
        workers=3,
        drain_timeout_s=60.0,
        splice=False,
        raise_nofile=False,
        mirror_budget_bytes=64 << 20,
        log_format="json",
        log_level="debug",
        backlog=7,
        max_connections=100,
        connect_timeout_s=0.25,
        idle_timeout_s=600.0,
        tcp_user_timeout_s=30.0,
        mirrors=(parse_mirror("null:"), parse_mirror("tcp://h:1?sample=10%")),
    )


def test_the_defaults_are_those_of_the_settings() -> None:
    text = "routes: [{listen: 80, backends: b:80}]"
    expected = single_route((TcpAddress(None, 80),), (TcpAddress("b", 80),), workers=usable_cpus())
    assert settings_of(text) == expected


@pytest.mark.parametrize(
    ("mapping", "url"),
    [
        ('{to: "file:/a"}', "file:/a"),
        ('{to: "file:/a", sample: 1%, overflow: gap}', "file:/a?sample=1%&overflow=gap"),
        ("{to: tcp://h:1, overflow: spill, spool: 1MiB}", "tcp://h:1?overflow=spill&spool=1MiB"),
        ('{to: "exec:cat -n", scope: route}', "exec:cat -n?scope=route"),
        ('{to: "exec:cat -n", shell: true}', "exec:cat -n?shell=yes"),
        ('{to: "exec:cat -n", shell: false}', "exec:cat -n"),
        ('{to: "null:", max_bytes: 1000, buffer: 1KiB}', "null:?max_bytes=1000&buffer=1KiB"),
    ],
)  # fmt: skip
def test_a_mirror_as_a_mapping(mapping: str, url: str) -> None:
    settings = settings_of(f"routes: [{{listen: 80, backends: b:80, mirrors: {mapping}}}]")
    assert settings.routes[0].mirrors == (parse_mirror(url),)


def test_the_options_of_a_commands_mapping_are_not_looked_for_in_its_text() -> None:
    text = 'routes: [{listen: 80, backends: b:80, mirrors: {to: "exec:cat a?scope=route"}}]'
    mirror = settings_of(text).routes[0].mirrors[0]
    assert mirror.command == ("cat", "a?scope=route")
    assert mirror.scope == "connection"


def test_defaults_are_merged_key_by_key_and_lists_are_replaced() -> None:
    text = """\
defaults:
  backlog: 5
  max_connections: 9
  timeouts: {connect: 1s, idle: 2s}
  mirrors: ["null:"]
routes:
- {name: a, listen: 1, backends: b:1}
- name: b
  listen: 2
  backends: b:1
  backlog: 6
  max_connections: null
  timeouts: {idle: 3s}
  mirrors: []
"""
    first, second = settings_of(text).routes
    assert (first.backlog, second.backlog) == (5, 6)
    assert (first.max_connections, second.max_connections) == (9, None)
    assert first.timeouts == Timeouts(connect_s=1.0, idle_s=2.0)
    assert second.timeouts == Timeouts(connect_s=1.0, idle_s=3.0)
    assert first.mirrors == (parse_mirror("null:"),)
    assert second.mirrors == ()


def test_variables() -> None:
    text = """\
workers: ${WORKERS}
routes:
- name: ${NAME:-web}
  listen: "${HOST}:${PORT:-80}"
  backends: ["${A:-b:1}", "${EMPTY:-b:2}"]
  mirrors: {to: "exec:echo $${HOME} ${HOST}", shell: true}
"""
    variables = {"WORKERS": "2", "HOST": "::1", "EMPTY": ""}
    assert mistakes_of(text, variables)[0].startswith("4:11: routes[0].listen: '::1:80' is ambig")
    settings = settings_of(text, variables | {"HOST": "127.0.0.1"})
    route = settings.routes[0]
    assert settings.workers == 2
    assert route.name == "web"
    assert route.listen == (ListenSettings(address=TcpAddress("127.0.0.1", 80)),)
    assert route.addresses == (TcpAddress("b", 1), TcpAddress("b", 2))
    assert route.mirrors[0].target == "echo ${HOME} 127.0.0.1"


def test_a_variable_cannot_bring_structure_along() -> None:
    value = "1, listen: 2}\nroutes: []\n# "
    said = mistakes_of(f"{ROUTE}workers: ${{W}}", {"W": value})
    assert len(said) == 1
    assert said[0].startswith("2:10: workers: ")


def test_aliases_stand_for_what_they_name() -> None:
    text = """\
routes:
- {name: a, listen: 1, backends: &pool [a:1, b:1]}
- {name: b, listen: 2, backends: *pool}
"""
    first, second = settings_of(text).routes
    assert first.backends == second.backends


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + ROUTE.replace("\n", "\r\n").encode())
    assert load(str(path), {}) == settings_of(ROUTE)


def test_bytes_that_are_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_bytes(b"a: 1\nb: \xff")
    with pytest.raises(RefusedFile) as refused:
        load(str(path), {})
    assert refused.value.mistakes == (f"{path}:2:4: error: this is not UTF-8",)
    assert refused.value.status == ExitStatus.REFUSED
    assert "has 1 mistake;" in str(refused.value)


@pytest.mark.parametrize("path", ["/no/such/file", "/", "a\0b"])
def test_a_file_that_cannot_be_read(path: str) -> None:
    with pytest.raises(RefusedFile, match="cannot read"):
        load(path, {})
