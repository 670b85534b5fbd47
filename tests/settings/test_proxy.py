import os

import pytest
from pydantic import ValidationError

from spliceproxy.kernel.cpus import usable_cpus
from spliceproxy.settings.address import TcpAddress, UnixAddress
from spliceproxy.settings.backend import BackendSettings
from spliceproxy.settings.listen import ListenSettings
from spliceproxy.settings.proxy import RouteSettings, Settings
from spliceproxy.settings.single_route import Options, override, single_route
from spliceproxy.settings.timeouts import Timeouts

ONE = TcpAddress("127.0.0.1", 8080)
PATH = UnixAddress("/run/app.sock")


def test_settings_cannot_be_changed() -> None:
    settings = single_route((ONE,), (PATH,))
    with pytest.raises(ValidationError, match="frozen"):
        settings.workers = 2


def test_a_single_route_is_the_same_model() -> None:
    assert single_route((ONE,), (PATH,), workers=1, idle_timeout_s=60.0, backlog=7) == Settings(
        workers=1,
        routes=(
            RouteSettings(
                listen=(ListenSettings(address=ONE),),
                backends=(BackendSettings(address=PATH),),
                backlog=7,
                timeouts=Timeouts(idle_s=60.0),
            ),
        ),
    )


@pytest.mark.parametrize(
    "options",
    [
        {"workers": "many"},
        {"workers": 1.5},
        {"idle_timeout_s": "1x"},
        {"log_level": "loud"},
        {"splice": 1},
        {"mirrors": (1,)},
        {"no_such": 1},
    ],
)
def test_a_programs_values_are_checked_too(options: Options) -> None:
    with pytest.raises(ValidationError):
        single_route((ONE,), (PATH,), **options)


def test_no_listener_and_no_backend() -> None:
    with pytest.raises(ValidationError, match="expected one or more"):
        single_route((), (PATH,))
    with pytest.raises(ValidationError, match="expected one or more"):
        single_route((ONE,), ())


def test_override_keeps_the_routes() -> None:
    settings = single_route((ONE,), (PATH,), workers=1, log_level="error")
    changed = override(settings, workers=3, log_format="json")
    expected = single_route((ONE,), (PATH,), workers=3, log_level="error", log_format="json")
    assert changed == expected


def test_usable_cpus_follow_the_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 5, 7})
    assert usable_cpus() == 3
