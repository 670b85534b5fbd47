import json
from pathlib import Path

from tests.tools.bench.results import run_results, work_result
from tools.bench import report
from tools.bench.results import Results

SAMPLES = {
    "spliceproxy": [{"rate_per_s": 110.0}, {"rate_per_s": 90.0}],
    "haproxy": [{"rate_per_s": 100.0}, {"rate_per_s": 100.0}],
    "nginx": [{"rate_per_s": 50.0}, {}],
}


def results() -> Results:
    return run_results([work_result("rr50", SAMPLES)])


def test_text_gives_ratio_range_and_median() -> None:
    text = report.as_text(results(), "spliceproxy")
    assert "spliceproxy  1.00\N{MULTIPLICATION SIGN} [0.90-1.10] 100 /s\n" in text
    assert "left out: socat: not found (apt install socat)\n" in text
    assert "failed: rr50, nginx, 1 of 2 rounds: it broke\n" in text
    assert "other programs took 2% of the machine's CPU time" in text


def test_json_holds_every_round() -> None:
    found = json.loads(report.as_json(results(), "spliceproxy"))
    nginx = found["works"]["rr50"]["peers"]["nginx"]["rate_per_s"]
    assert nginx["values"] == [50.0, None]
    assert nginx["ratios"] == [0.5, None]
    assert nginx["ratio"] == {"median": 0.5, "low": 0.5, "high": 0.5}
    rate, cpu = (bound for bound in found["bounds"] if bound["work"] == "rr50")
    assert (rate["figure"], rate["met"]) == (1.0, True)
    assert (cpu["figure"], cpu["met"]) == (None, None)


def test_markdown_has_tables_the_command_and_the_picture() -> None:
    text = report.as_markdown(results(), "spliceproxy", "images/benchmark.png")
    assert "```sh\npython -m tools.bench proxy\n```" in text
    assert "(images/benchmark.png)" in text
    assert "| peer | rate |\n| --- | --- |\n| spliceproxy | 1.00" in text


def test_page_keeps_what_stands_around_a_section(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("# Benchmarks\n")
    report.put_into_page(page, "proxy", "first\n")
    report.put_into_page(page, "mirror", "other\n")
    page.write_text(page.read_text() + "\nBy hand.\n")
    report.put_into_page(page, "proxy", "second \\1\n")
    text = page.read_text()
    assert text.startswith("# Benchmarks\n")
    assert text.endswith("\nBy hand.\n")
    assert "other" in text
    assert "second \\1" in text
    assert "first" not in text


def test_page_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    report.put_into_page(page, "proxy", "figures\n")
    assert "figures" in page.read_text()
