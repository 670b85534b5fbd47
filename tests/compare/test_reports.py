"""The command, its exit status, the database and the page."""

import re
import socketserver
import sqlite3
import threading
from html.parser import HTMLParser
from pathlib import Path

import pytest

from spliceproxy.cli.main import run
from tests.ports import free_port

from .exchanges import Exchange, get, record, replayed

HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\x1b[2J\u202e"


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def pair(tmp_path: Path, recorded: list[Exchange], new: list[Exchange]) -> list[str]:
    record(tmp_path / "recorded", [recorded])
    replayed(tmp_path / "new", [new])
    return ["compare", str(tmp_path / "recorded"), "--answers", str(tmp_path / "new")]


def test_no_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = [get("/", "{}")]
    assert run(pair(tmp_path, same, same)) == 0
    out = capsys.readouterr().out
    assert out.startswith("No difference in 1 answer on 1 connection.\n")
    assert "LATENCY" in out


def test_differences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, database = tmp_path / "page.html", tmp_path / "report.sqlite"
    words = pair(tmp_path, [get("/", '{"n": 1}')], [get("/", '{"n": 2}')])
    words += ["--html", str(page), "--report", str(database)]
    assert run(words) == 1
    assert run(words) == 1  # an earlier report is replaced
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 difference in 1 answer on 1 connection."
    assert "body.n" in lines[4]
    with sqlite3.connect(database) as rows:
        (row,) = rows.execute("SELECT request, level, field, counts, raw FROM differences")
        assert row == ("GET /", "field", "body.n", 1, 1)
        assert list(rows.execute("SELECT asked, recorded, new FROM samples")) == [
            ("GET /", "1", "2")
        ]
        assert rows.execute("SELECT count(*) FROM latencies").fetchone() == (2,)
    rows.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("new", "page.html", "recorded", "report.sqlite")
    ]
    text = page.read_text()
    assert text.index("1 difference") < text.index("<svg")
    assert "<mark>2</mark>" in text


def test_hostile_answers_stay_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    name = HOSTILE.replace("\\", "").replace('"', "'").encode("unicode_escape").decode()
    key = name.replace("\\x1b", "\\u001b")
    recorded = [get("/<script>", f'{{"{key}": "{key}"}}', "X: <script>")]
    new = [get("/<script>", f'{{"{key}": "<b>"}}', "X: <style>")]
    words = [*pair(tmp_path, recorded, new), "--html", str(page)]
    assert run(words) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    text = page.read_text()
    assert "onerror=alert" in text  # it is shown
    elements = Elements()
    elements.feed(text)
    assert not elements.tags & {"script", "img"}
    assert not {name for name in elements.attributes if name.startswith("on")}
    assert "default-src 'none'" in text
    assert not re.search(r"(src|href)=", text.replace("src=x", ""))
    assert "\x1b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ignore", "re:("], "no regular expression"),
        (["--protocol", "htpt1"], "did you mean 'http1'"),
        (["--relative-noise", "20"], "expected such as 20%"),
        (["--report", "{tmp}/other"], "is no report"),
        (["--html", "{tmp}/none/page"], "No such file"),
        (["--noise", "{tmp}"], "no capture is in there"),
        (["--new", "127.0.0.1:9"], "one of --answers and --new is needed"),
        (["--old", "127.0.0.1:9"], "two ways to answers are mixed"),
    ],
)
def test_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    (tmp_path / "other").write_text("mine")
    same = [get("/", "{}")]
    typed = pair(tmp_path, same, same) + [word.format(tmp=tmp_path) for word in words]
    assert run(typed) == 2
    assert message in capsys.readouterr().err
    assert (tmp_path / "other").read_text() == "mine"


def test_a_new_version_that_is_not_there_is_no_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path / "recorded", [[get("/", "{}")]])
    words = ["compare", str(tmp_path / "recorded"), "--new", f"127.0.0.1:{free_port()}"]
    assert run(words) in (2, 3)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err
    for _ in range(2):  # nothing stays that would be in the way
        assert run([*words, "--keep", str(tmp_path)]) in (2, 3)
        assert not (tmp_path / "new").exists()
    (tmp_path / "new").mkdir()
    assert run([*words, "--keep", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err.splitlines()[-1]


class _Tokens(socketserver.BaseRequestHandler):
    """Gives a token of its own, and refuses others."""

    def handle(self) -> None:
        while data := self.request.recv(1000):
            answers = {b"login\n": b"token: of-now\n", b"use of-now\n": b"yes\n"}
            self.request.sendall(answers.get(data, b"no\n"))


def test_tokens_of_the_new_version_are_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = [(b"login\n", b"token: recorded\n"), (b"use recorded\n", b"yes\n")]
    record(tmp_path / "recorded", [talk])
    pattern = "^token: (.*)$"
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Tokens) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        new = f"127.0.0.1:{server.server_address[1]}"
        words = ["compare", str(tmp_path / "recorded"), "--new", new, "--ignore", "re:token: .*"]
        assert run(words) == 1
        capsys.readouterr()
        assert run([*words, "--substitute", pattern]) == 0
        server.shutdown()
        thread.join()
    err = capsys.readouterr().err
    assert "1 pieces of requests have got another length" in err
    assert run([*words[:2], "--answers", str(tmp_path), "--substitute", pattern]) == 2
    assert "--substitute is for replays" in capsys.readouterr().err
