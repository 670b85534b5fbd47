from spliceproxy.observe.access_json import json_renderer
from tests.observe.records import make_record
from tools.documentation.access_log import KEYS, PAGE, page


def test_the_page_says_what_the_log_does() -> None:
    assert PAGE.read_text() == page(), "stale: run python -m tools.documentation.access_log"


def test_every_key_is_described_and_in_its_place() -> None:
    line = json_renderer(0, 0)(make_record()).decode()
    at = [line.index(f'"{key}":') for key in KEYS]
    assert at == sorted(at)
    assert line.count('":') == len(KEYS)
