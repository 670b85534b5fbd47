"""Routes files through the installed command."""

import socket
import subprocess
from pathlib import Path

import pytest
import yaml

import spliceproxy
from tests.ports import free_port

from .conftest import StartProxy
from .example_files import with_files
from .peers import receive_exactly
from .proxy_command import Launcher, clean_environment

pytestmark = pytest.mark.e2e

CONFIG = Path(spliceproxy.__file__).parent.parent / "config"


def check(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [*Launcher().argv, "check", *arguments]
    environment = clean_environment() | variables
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)


def test_two_routes(start_proxy: StartProxy, tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        path = tmp_path / "routes.yaml"
        path.write_text(
            f"""\
workers: 2
defaults: {{max_connections: 50}}
routes:
- name: one
  listen: 127.0.0.1:0
  backends: [127.0.0.1:{one.getsockname()[1]}]
  mirrors: [{{to: "file:{tmp_path}/copies", overflow: gap}}]
- name: other
  listen: [127.0.0.1:0, "unix:{tmp_path}/front"]
  backends: [127.0.0.1:{other.getsockname()[1]}]
  max_connections: 20
"""
        )
        proxy = start_proxy("--config", str(path))
        first, second = proxy.started["routes"]
        assert (first["name"], first["max_connections"]) == ("one", 50)
        assert (second["name"], second["max_connections"]) == ("other", 20)
        assert proxy.started["listeners"] == first["listeners"] + second["listeners"]
        for route, backend in ((first, one), (second, other)):
            host, port = route["listeners"][0].split(":")
            with socket.create_connection((host, int(port)), timeout=20) as client:
                server, _ = backend.accept()
                with server:
                    client.sendall(b"hello")
                    assert receive_exactly(server, 5) == b"hello"
    lines = {line["route"]: line for line in proxy.log.wait("connection", 2)}
    assert lines["one"]["mirrors"][0]["to"] == f"file:{tmp_path}/copies"
    assert lines["other"]["mirrors"] is None
    records = list((tmp_path / "copies").glob("*/*.json"))
    assert len(records) == 1
    assert '"route": "one"' in records[0].read_text()


def test_a_refused_file_starts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text("routes:\n- listen: 127.0.0.1:0\n  backends: [a]\n  weight: 1\n")
    process = Launcher().popen("-c", str(path), stderr=subprocess.PIPE)
    output, error = process.communicate(timeout=20)
    assert process.returncode == 1
    assert output == b""
    lines = error.decode().splitlines()
    assert [line.removeprefix(str(path)).split(": ")[0] for line in lines[:2]] == [":3:14", ":4:3"]
    assert len(lines) == 3


def test_two_routes_with_one_directory_do_not_start(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text(
        f"""\
defaults: {{mirrors: ["file:{tmp_path}/copies"]}}
routes:
- {{name: one, listen: "127.0.0.1:0", backends: "127.0.0.1:9"}}
- {{name: other, listen: "127.0.0.1:0", backends: "127.0.0.1:9"}}
"""
    )
    process = Launcher().popen("-c", str(path), stderr=subprocess.PIPE)
    output, error = process.communicate(timeout=20)
    assert (process.returncode, output) == (2, b"")
    [line] = error.decode().splitlines()
    assert "another file mirror has the same directory" in line


def test_statuses_of_check(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        good.write_text(f"routes: [{{listen: 127.0.0.1:{port}, backends: no-such.invalid:1}}]")
        assert check(str(good)).returncode == 0  # nothing is opened or looked up
    bad.write_text("routes: 1")
    assert check(str(bad)).returncode == 1
    assert check(str(tmp_path / "missing.yaml")).returncode == 1
    assert check().returncode == 2


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_run(path: Path, start_proxy: StartProxy, tmp_path: Path) -> None:
    names = {"AUDIT_DIR": "audit", "CAPTURE_DIR": "capture", "ACCESS_LOG": "log"}
    variables = {variable: str(tmp_path / name) for variable, name in names.items()}
    example = tmp_path / path.name
    example.write_text(with_files(path.read_text(), tmp_path))
    shown = check("--show", str(example), **variables)
    assert shown.returncode == 0, shown.stderr
    content = yaml.safe_load(shown.stdout)
    for account in ("user", "group"):  # being another user takes rights
        content.pop(account, None)
    doors = [*content["admin"]["listen"], content.get("stats_socket", {})]
    for number, door in enumerate(doors):
        if door.get("address", "").startswith("unix:"):
            door["address"] = f"unix:{tmp_path}/door{number}"
    for route in content["routes"]:
        # Only the ports are others, so that the test can run beside anything else.
        for number, listen in enumerate(route.get("listen", ())):  # none: by server name alone
            unix = listen["address"].startswith("unix:")
            listen["address"] = f"unix:{tmp_path}/{number}" if unix else "127.0.0.1:0"
            for account in ("owner", "group"):  # giving a socket away takes rights
                listen.pop(account, None)
        route["backends"] = [f"127.0.0.1:{free_port()}"]
    copy = tmp_path / "routes.yaml"
    copy.write_text(yaml.safe_dump(content))
    launcher = Launcher(environment=clean_environment() | variables)
    proxy = start_proxy("--config", str(copy), launcher=launcher)
    assert [route["name"] for route in proxy.started["routes"]] == [
        route["name"] for route in content["routes"]
    ]
