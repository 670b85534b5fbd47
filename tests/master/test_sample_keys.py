"""Where the key of samples comes from, and that it stays where it belongs."""

import os
import pickle
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from spliceproxy.errors import StartProblem
from spliceproxy.kernel.inherited import find_inherited
from spliceproxy.master.loader import load_configuration
from spliceproxy.master.sample_keys import SampleKeys, read_sample_key
from spliceproxy.routes_file.show import show
from spliceproxy.settings.proxy import Settings
from tests.routes_file.reading import settings_of

SECRET = "a-secret-of-some-length"
ROUTES = "routes: [{listen: 0, backends: '127.0.0.1:1', mirrors: 'null:?sample=10%'}]"


def settings(key: str = "") -> Settings:
    return settings_of(f"sample_key: {key}\n{ROUTES}" if key else ROUTES)


def machine(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "machine-id"
    path.write_text(text)
    return path


def test_a_machine_has_a_key_of_its_own_that_stays(tmp_path: Path) -> None:
    routes = settings().routes
    with capture_logs() as log:
        one = SampleKeys(machine(tmp_path, "1" * 32)).choose(None, routes)
        assert one == SampleKeys(machine(tmp_path, "1" * 32)).choose(None, routes)
        assert one != SampleKeys(machine(tmp_path, "2" * 32)).choose(None, routes)
    assert len(one) == 32
    assert log == []


def test_without_an_id_generations_agree_and_it_is_told_once(tmp_path: Path) -> None:
    keys = SampleKeys(tmp_path / "absent")
    with capture_logs() as log:
        one = keys.choose(None, [])
        assert log == []
        assert [keys.choose(None, settings().routes) for _ in range(2)] == [one, one]
    (line,) = log
    assert (line["event"], line["log_level"]) == ("sample_key_random", "warning")
    assert line["routes"] == ["default"]
    assert one != SampleKeys(tmp_path / "absent").choose(None, [])


def test_a_key_of_the_settings_goes_first(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{SECRET}\n")
    by_file = read_sample_key(f"file:{path}")
    assert by_file == read_sample_key(SECRET)
    assert by_file != read_sample_key(f"{SECRET}2")
    with capture_logs() as log:
        assert SampleKeys(tmp_path / "absent").choose(by_file, settings().routes) == by_file
    assert log == []


@pytest.mark.parametrize("content", [b"", b"short\n", b" " * 100, b"x" * 5000])
def test_a_file_without_a_key_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(StartProblem, match="holds no key; expected 16 to 4096 bytes"):
        load_configuration(lambda: settings(f"file:{path}"), find_inherited())


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartProblem, match=r"sample_key: cannot read /.*absent \(No such file"):
        load_configuration(lambda: settings(f"file:{tmp_path}/absent"), find_inherited())


def test_a_reload_brings_it_along() -> None:
    loaded = load_configuration(lambda: settings(SECRET), find_inherited())
    assert pickle.loads(pickle.dumps(loaded)).sample_key == read_sample_key(SECRET)


def test_it_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "KEY", SECRET)
    given = settings_of(f"sample_key: ${{KEY}}\n{ROUTES}", {"KEY": SECRET})
    loaded = load_configuration(lambda: given, find_inherited())
    for text in (show(given), repr(given), repr(loaded), str(given)):
        assert SECRET not in text
        assert repr(loaded.sample_key) not in text
    assert "sample_key" in show(given)
    assert "file:/etc/key" in show(settings("file:/etc/key"))
