"""Memory is hidden before a key is read into it: at the start, at a reload, by `check`."""

import pickle
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.hidden_memory import is_memory_hidden
from spliceproxy.kernel.inherited import InheritedSockets
from spliceproxy.master import loader, supervisor
from spliceproxy.master.loader import LoadedConfiguration, LoaderProcess, load_hidden
from spliceproxy.observe.logs import Logs
from spliceproxy.settings.log import AccessLogSettings, LogSettings
from spliceproxy.settings.log_destination import LogDestination
from spliceproxy.settings.proxy import Settings
from spliceproxy.tls import certificate_files, hidden_keys
from spliceproxy.tls.hidden_keys import hide_before_keys
from spliceproxy.tls.route_tls import find_mistakes
from tests.child import in_visible_child
from tests.master.test_loader import wait_for
from tests.routes_file.reading import settings_of
from tests.tls.certificates import authority, certificate

PLACES = [
    "routes: [{listen: {address: 80, tls: PAIR}, backends: 'b:80'}]",
    "routes: [{listen: {address: 80, tls: {self_signed: true}}, backends: 'b:80'}]",
    "routes: [{listen: 80, backends: [{address: 'b:79', tls: {ca: CA, certificate: PAIR}}]}]",
    """
admin: {listen: {address: 81, tls: PAIR}, token: '0123456789abcdef'}
routes: [{listen: 80, backends: 'b:80'}]
""",
]
PLACES = [text.replace("CA", authority()).replace("PAIR", certificate()) for text in PLACES]
everywhere = pytest.mark.parametrize("text", PLACES, ids=["route", "made", "backend", "admin"])


@pytest.fixture
def hidden_at_reads(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether memory was hidden when a file that may have a key was read, or a key was made."""
    hidden: list[bool] = []

    def watch(name: str) -> None:
        read = getattr(certificate_files, name)

        def watched(*args: Any) -> Any:
            hidden.append(is_memory_hidden())
            return read(*args)

        monkeypatch.setattr(certificate_files, name, watched)

    for name in ("read_key", "read_pem", "make_self_signed"):
        watch(name)
    return hidden


@everywhere
def test_before_files_are_looked_at(text: str, hidden_at_reads: list[bool]) -> None:
    settings = settings_of(text)

    def do() -> list[bool]:
        assert not is_memory_hidden()
        assert list(find_mistakes(settings)) == []
        return hidden_at_reads

    hidden = in_visible_child(do)
    assert hidden
    assert all(hidden)


@everywhere
def test_before_they_are_read_at_the_start(
    text: str, hidden_at_reads: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(text)
    load: Callable[..., LoadedConfiguration] = load_hidden

    def load_and_stop(*args: Any) -> LoadedConfiguration:
        load(*args)
        raise StartProblem("far", "enough")

    monkeypatch.setattr(supervisor, "load_hidden", load_and_stop)
    monkeypatch.setattr(loader, "look_up", lambda settings: [])

    def do() -> list[bool]:
        with pytest.raises(StartProblem, match="far"):
            supervisor.supervise(settings)
        return hidden_at_reads

    hidden = in_visible_child(do)
    assert hidden
    assert all(hidden)


@everywhere
def test_before_they_come_from_the_loader(
    text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings, unpickle = settings_of(text), pickle.loads
    monkeypatch.setattr(loader, "look_up", lambda settings: [])

    def load_it() -> LoadedConfiguration:
        return load_hidden(lambda: settings, InheritedSockets())

    def do() -> tuple[bool, list[bool]]:
        before, hidden = is_memory_hidden(), []

        def watched(received: bytearray) -> object:
            hidden.append(is_memory_hidden())
            return unpickle(received)

        monkeypatch.setattr(pickle, "loads", watched)
        destination = LogDestination("file", path=str(tmp_path / "log"))
        with closing(Logs(LogSettings(to=destination), AccessLogSettings())) as logs:
            wait_for(LoaderProcess(load_it, logs, lambda: None))
        return before, hidden

    assert in_visible_child(do) == (False, [True])


def test_nothing_is_hidden_where_there_is_no_key() -> None:
    settings = settings_of("routes: [{listen: 80, backends: 'b:80'}]")

    def do() -> bool:
        assert list(find_mistakes(settings)) == []
        hide_before_keys(settings)
        return is_memory_hidden()

    assert not in_visible_child(do)


def test_where_it_cannot_be_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError(1, "prctl(PR_SET_DUMPABLE)")

    monkeypatch.setattr(hidden_keys, "hide_memory", refuse)
    settings: Settings = settings_of(PLACES[0])
    with pytest.raises(StartProblem, match="cannot be hidden"):
        hide_before_keys(settings)
