import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.admin.stats_socket.commands import ShowStat
from spliceproxy.admin.stats_socket.fields import FIELDS
from spliceproxy.admin.stats_socket.info import write_info
from spliceproxy.admin.stats_socket.sessions import write_sessions
from spliceproxy.admin.stats_socket.table import select_rows, write_table
from tests.admin.busy import MIB, busy, busy_connections
from tests.admin.stats_socket.telegraf import Metric, gather

ALL = ShowStat()
MIRRORS = ["mirror:shadow", "mirror:audit"]
BACKENDS = [f"10.0.1.{host}:8443" for host in (11, 12, 13, 14)] + ["10.0.2.20:8443"]


def metrics(wanted: ShowStat = ALL) -> list[Metric]:
    return gather(write_table(select_rows(busy(5), wanted)))


def names(found: list[Metric]) -> list[tuple[str, str]]:
    return [(metric.tags["pxname"], metric.tags["svname"]) for metric in found]


def test_a_route_has_rows_as_a_listen_section() -> None:
    assert names(metrics()) == [
        ("web", "FRONTEND"),
        *(("web", name) for name in (*BACKENDS, *MIRRORS)),
        ("web", "BACKEND"),
        ("postgres", "FRONTEND"),
        ("postgres", "db-1.internal:5432"),
        ("postgres", "BACKEND"),
    ]


def test_the_numbers_are_those_of_the_status() -> None:
    frontend, first, second, down, draining, backup, *_, backend = metrics()[:9]
    assert frontend.tags["type"] == "frontend"
    wanted = {"status": "OPEN", "scur": 1141, "slim": 20_000, "stot": 88_395, "dcon": 44}
    assert wanted.items() <= frontend.fields.items()
    assert first.tags["type"] == "server"
    wanted = {"status": "UP", "scur": 612, "stot": 3180, "weight": 2, "act": 1, "bck": 0}
    assert wanted.items() <= first.fields.items()
    assert first.fields["bin"] == 39 * MIB
    assert second.fields["econ"] == 3
    assert (down.fields["status"], draining.fields["status"]) == ("DOWN", "DRAIN")
    assert down.fields["last_chk"] == "check: connection refused"
    assert (backup.fields["act"], backup.fields["bck"]) == (0, 1)
    wanted = {"status": "UP", "act": 2, "bck": 1, "weight": 3, "cli_abrt": 812, "srv_abrt": 0}
    assert backend.tags["type"] == "backend"
    assert wanted.items() <= backend.fields.items()


@pytest.mark.parametrize(
    ("state", "status"),
    [("ok", "UP"), ("behind", "UP 1/2"), ("failing", "DOWN"), ("off", "MAINT")],
)
def test_a_mirror_is_a_backup_of_no_weight(state: str, status: str) -> None:
    told = busy(5)
    shadow, audit = told.routes[0].mirrors
    shadow.state, shadow.reason = state, "mirror_refused"
    audit.state = "over"
    found = gather(write_table(select_rows(told, ALL)))
    assert [name for _, name in names(found)][6:8] == ["mirror:shadow", "BACKEND"]
    mirror, backend = found[6:8]
    assert (mirror.tags["type"], mirror.lost) == ("server", [])
    texts = {"status": status, "check_status": state, "last_chk": "mirror_refused"}
    assert texts.items() <= mirror.fields.items()
    numbers = {"scur": 119, "weight": 0, "act": 0, "bck": 1, "sid": 6}
    assert numbers.items() <= mirror.fields.items()
    assert (backend.fields["act"], backend.fields["bck"]) == (2, 1)


def test_telegraf_loses_nothing_but_the_algorithm() -> None:
    assert {name for metric in metrics() for name in metric.lost} == {"algo"}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (ShowStat("postgres", 1, -1), ["FRONTEND"]),
        (ShowStat(3, 2, -1), ["BACKEND"]),
        (ShowStat(2, 4, 3), ["10.0.1.13:8443"]),
        (ShowStat(-1, 4, 1), ["10.0.1.11:8443", "db-1.internal:5432"]),
        (ShowStat(9, -1, -1), []),
    ],
)
def test_rows_are_selected(wanted: ShowStat, found: list[str]) -> None:
    assert [name for _, name in names(metrics(wanted))] == found


@given(name=st.text(max_size=20), reason=st.text(max_size=40))
def test_a_row_is_a_line_whatever_its_names_are(name: str, reason: str) -> None:
    status = busy()
    status.routes[0].backends[0].name = name
    status.routes[0].backends[0].reason = reason
    text = write_table(select_rows(status, ALL))
    lines = text.split("\n")
    assert len(lines) == 1 + 12 + 1
    assert all(line.endswith(",") for line in lines[:-1])
    assert "".join(filter(str.isprintable, text)) == text.replace("\n", "")
    assert len(gather(text)) == 12


def test_a_proxy_that_drains_is_stopped_in_front() -> None:
    status = busy()
    status.draining = True
    fields = gather(write_table(select_rows(status, ShowStat("web", 1, -1))))[0].fields
    assert fields["status"] == "STOP"
    assert "Stopping: 1\n" in write_info(status, now=status.started, node="here")


def test_a_route_without_a_backend_that_is_up_is_down() -> None:
    status = busy()
    for backend in status.routes[0].backends:
        backend.state = "ejected"
    found = gather(write_table(select_rows(status, ShowStat("web", 2, -1))))
    assert (found[0].fields["status"], found[0].fields["act"]) == ("DOWN", 0)


def test_the_process_is_told_in_lines() -> None:
    status = busy()
    lines = write_info(status, now=status.started + 93_784, node="here").splitlines()
    told = dict(line.split(": ", 1) for line in lines)
    assert (told["Pid"], told["CurrConns"], told["Maxconn"]) == ("4100", "1201", "20500")
    assert (told["Uptime"], told["Uptime_sec"], told["node"]) == ("1d 2h03m04s", "93784", "here")
    assert (told["PipesUsed"], told["Nbproc"]) == ("24", "2")


def test_a_session_is_a_line() -> None:
    connections = busy_connections()
    connections[2] |= {"client": "[2001:db8::1]:5", "age_s": 7385.0}
    connections[3] |= {"client": "unix", "backend": ""}
    answer = {"found": connections, "silent": ["worker 1 is gone"]}
    lines = write_sessions(answer, len(connections)).splitlines()
    assert lines[1].startswith("0x1000000001268: proto=tcpv4 src=203.0.113.11:40007 fe=web be=web ")
    assert "srv=10.0.1.11:8443 age=14s idle=0s rq[total=3000] rp[total=349525]" in lines[1]
    assert "proto=tcpv6 src=[2001:db8::1]:5 " in lines[2]
    assert " age=2h3m " in lines[2]
    assert "proto=unix_stream src=unix fe=web be=<NONE> srv=<none> age=56s " in lines[3]
    assert lines[-2:] == ["# there may be more than these 24", "# incomplete: worker 1 is gone"]


def test_every_field_has_one_column() -> None:
    assert len(FIELDS) == len(set(FIELDS))
