import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import spliceproxy
from spliceproxy.cli.main import command, run
from spliceproxy.cli.options import SECTIONS
from spliceproxy.errors import BootProblem, ExitStatus, StartProblem
from spliceproxy.kernel.cpus import usable_cpus
from spliceproxy.settings.address import TcpAddress, UnixAddress
from spliceproxy.settings.log_destination import LogDestination, parse_log_destination
from spliceproxy.settings.proxy import Settings
from spliceproxy.settings.single_route import Options, single_route
from tests.cli.conftest import SUPERVISOR, Supervise

PROJECT = Path(spliceproxy.__file__).parent.parent
REQUIRED = ("--listen", "8080", "--backend", "host:80")


def test_the_defaults_are_those_of_the_settings(seen: list[Settings]) -> None:
    assert run(REQUIRED) == 0
    assert seen == [
        single_route(
            listen=(TcpAddress(None, 8080),),
            backends=(TcpAddress("host", 80),),
            workers=usable_cpus(),
        )
    ]


def test_every_option(seen: list[Settings]) -> None:
    arguments = (
        "--listen 127.0.0.1:1 --listen unix:/l --backend [::1]:2 --backend unix:/b --workers 3"
        " --connect-timeout 250ms --idle-timeout 10m --drain-timeout 0 --max-connections 100"
        " --reload-drain-timeout 2h --max-generations 3 --drain-delay 5s"
        " --tcp-user-timeout 30s --backlog 7 --splice off --no-raise-nofile --log-format json"
        " --log-level debug --log-to syslog:udp://h:514 --access-log file:/a"
        " --access-log-format haproxy-tcp"
    )
    assert run(arguments.split()) == 0
    assert seen == [
        single_route(
            listen=(TcpAddress("127.0.0.1", 1), UnixAddress("/l")),
            backends=(TcpAddress("::1", 2), UnixAddress("/b")),
            workers=3,
            connect_timeout_s=0.25,
            idle_timeout_s=600.0,
            drain_timeout_s=0.0,
            drain_delay_s=5.0,
            reload_drain_timeout_s=7200.0,
            max_generations=3,
            max_connections=100,
            tcp_user_timeout_s=30.0,
            backlog=7,
            splice=False,
            raise_nofile=False,
            log_format="json",
            log_level="debug",
            log_to=parse_log_destination("syslog:udp://h:514"),
            access_log=LogDestination("file", path="/a"),
            access_log_format="haproxy-tcp",
        )
    ]


def test_the_environment_stands_in_for_options(
    seen: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {
        "LISTEN": "8080  [::1]:81",
        "BACKEND": "a:1 unix:/b",
        "WORKERS": "2",
        "CONNECT_TIMEOUT": "1s",
        "IDLE_TIMEOUT": "2s",
        "DRAIN_TIMEOUT": "3s",
        "TCP_USER_TIMEOUT": "4s",
        "MAX_CONNECTIONS": "5",
        "BACKLOG": "6",
        "SPLICE": "off",
        "RAISE_NOFILE": "0",
        "LOG_FORMAT": "console",
        "LOG_LEVEL": "error",
        "PORT": "tcp://10.0.0.1:80",  # Kubernetes sets such names for a service
    }
    for name, text in environment.items():
        monkeypatch.setenv(f"SPLICEPROXY_{name}", text)
    assert run(["--workers", "9"]) == 0
    assert seen == [
        single_route(
            listen=(TcpAddress(None, 8080), TcpAddress("::1", 81)),
            backends=(TcpAddress("a", 1), UnixAddress("/b")),
            workers=9,  # the command line goes first
            connect_timeout_s=1.0,
            idle_timeout_s=2.0,
            drain_timeout_s=3.0,
            tcp_user_timeout_s=4.0,
            max_connections=5,
            backlog=6,
            splice=False,
            raise_nofile=False,
            log_format="console",
            log_level="error",
        )
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], ["--listen is missing", "--listen 8080 --backend example.org:80"]),
        (["--listen", "8080"], ["--backend is missing", "--listen 8080 --backend"]),
        (["--listen"], ["--listen", "requires an argument"]),
        ([*REQUIRED, "--listen", "8080"], ["--listen: 8080 is given twice", "host and port"]),
        ([*REQUIRED, "--listen", "unix:/a", "--listen", "unix:/a"], ["unix:/a", "path"]),
        ([*REQUIRED, "--listen", "99999"], ["--listen: ", "99999", "0 to 65535"]),
        ([*REQUIRED, "--backend", "::1:80"], ["--backend: ", "[::1]:80"]),
        ([*REQUIRED, "--backend", "two\nlines:80"], ["--backend: ", r"two\nlines"]),
        ([*REQUIRED, "--idle-timeout", "5"], ["--idle-timeout: ", "write 5s"]),
        ([*REQUIRED, "--idle-timeout", "0"], ["--idle-timeout: ", "1ms or more"]),
        ([*REQUIRED, "--connect-timeout", "0s"], ["--connect-timeout: ", "1ms or more"]),
        ([*REQUIRED, "--tcp-user-timeout", "25d"], ["--tcp-user-timeout: ", "at most 24d"]),
        ([*REQUIRED, "--workers", "0"], ["--workers: ", "1 to 1024", "'auto'"]),
        ([*REQUIRED, "--workers", "-1"], ["--workers: ", "1 to 1024"]),
        ([*REQUIRED, "--max-connections", "many"], ["--max-connections: ", "'many'", "1 to"]),
        ([*REQUIRED, "--backlog", "9" * 10_000], ["--backlog: ", "1 to"]),
        ([*REQUIRED, "--splice", "yes"], ["--splice: ", "'on', 'off'"]),
        ([*REQUIRED, "--log-format", "xml"], ["--log-format: ", "'json'"]),
        ([*REQUIRED, "--lisen", "80"], ["--lisen", "--listen", "--help"]),
        ([*REQUIRED, "stray"], ["stray", "--help"]),
    ],
)
def test_a_usage_error_is_one_line(
    arguments: list[str], said: list[str], capfd: pytest.CaptureFixture[str], seen: list[Settings]
) -> None:
    assert run(arguments) == ExitStatus.USAGE
    output, error = capfd.readouterr()
    assert output == ""
    assert error.startswith("spliceproxy: ")
    assert error.count("\n") == 1
    assert all(text in error for text in said), error
    assert seen == []


def test_an_error_in_the_environment_names_the_variable(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLICEPROXY_WORKERS", "none")
    assert run(REQUIRED) == ExitStatus.USAGE
    assert capfd.readouterr().err.startswith("spliceproxy: SPLICEPROXY_WORKERS: 'none'")


@pytest.mark.parametrize(
    ("problem", "status", "line"),
    [
        (StartProblem("port 80 is taken", "choose another"), 3, "port 80 is taken; choose another"),
        (BootProblem("workers\nfail", "see above"), 4, "workers fail; see above"),
    ],
)
def test_a_problem_is_one_line_and_its_status(
    problem: Exception,
    status: int,
    line: str,
    supervised: Callable[[Supervise], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    def supervise(_settings: Settings) -> int:
        raise problem

    supervised(supervise)
    assert run(REQUIRED) == status
    assert capfd.readouterr().err == f"spliceproxy: {line}\n"


def test_an_unexpected_exception_is_told_with_its_traceback(
    supervised: Callable[[Supervise], None], capfd: pytest.CaptureFixture[str]
) -> None:
    def supervise(_settings: Settings) -> int:
        raise LookupError("never\nthought of")

    supervised(supervise)
    assert run(REQUIRED) == ExitStatus.INTERNAL
    error = capfd.readouterr().err
    assert "Traceback" in error
    last = error.splitlines()[-1]
    assert last.startswith("spliceproxy: internal error: LookupError: never thought of;")


def test_an_interrupt_before_the_start_is_a_stop(
    supervised: Callable[[Supervise], None],
) -> None:
    def supervise(_settings: Settings) -> int:
        raise KeyboardInterrupt

    supervised(supervise)
    assert run(REQUIRED) == ExitStatus.OK


def test_the_supervisors_status_is_the_commands(supervised: Callable[[Supervise], None]) -> None:
    supervised(lambda _settings: 4)
    assert run(REQUIRED) == 4


def test_help_names_every_option_under_a_heading() -> None:
    outcome = CliRunner().invoke(command, ["--help"], prog_name="spliceproxy")
    assert outcome.exit_code == 0
    fields = {"config", "listen", "backends", *Options.__annotations__}
    fields.remove("sample_key")  # by the environment alone: others can read a command line
    assert {name for names in SECTIONS.values() for name in names} == fields
    headings = [*SECTIONS, "Other", "Examples"]
    places = [outcome.output.index(f"{heading}:") for heading in headings]
    assert places == sorted(places)
    options = [option for param in command.params for option in param.opts]
    assert all(option in outcome.output for option in options)


def test_help_does_not_wait_for_trio() -> None:
    script = "import sys, spliceproxy.cli.main; print('trio' in sys.modules)"
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=PROJECT)
    assert outcome.stdout == b"False\n"


def test_the_version_is_the_packages() -> None:
    pyproject = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert spliceproxy.__version__ == pyproject["project"]["version"]
    outcome = CliRunner().invoke(command, ["--version"])
    assert outcome.output == f"spliceproxy {spliceproxy.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "status", "error_lines"),
    [(["--version"], 0, 0), (["--help"], 0, 0), ([], 2, 1), (["--listen", "x"], 2, 1)],
)
def test_the_module_is_the_command(arguments: list[str], status: int, error_lines: int) -> None:
    outcome = subprocess.run(
        [sys.executable, "-m", "spliceproxy", *arguments], capture_output=True, cwd=PROJECT
    )
    assert outcome.returncode == status
    assert outcome.stderr.count(b"\n") == error_lines


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("return 0", 0),
        ("raise errors.StartProblem('a', 'b')", 3),
        ("raise errors.BootProblem('a', 'b')", 4),
        ("raise ValueError", 70),
    ],
)
def test_exit_statuses_of_the_process(ending: str, status: int) -> None:
    script = f"""
import sys, types
from spliceproxy import errors
from spliceproxy.cli.main import main
def supervise(settings, reload): {ending}
module = types.ModuleType({SUPERVISOR!r})
module.supervise = supervise
sys.modules[{SUPERVISOR!r}] = module
main()
"""
    arguments = [sys.executable, "-c", script, *REQUIRED]
    outcome = subprocess.run(arguments, capture_output=True, cwd=PROJECT)
    assert outcome.returncode == status
    assert (outcome.stderr == b"") == (status == 0)
