import subprocess
import sys
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from spliceproxy.ipc.shared_table import SharedTable, TableFullError
from spliceproxy.ipc.table_memory import CELLS, MAX_NAME_BYTES, MAX_TEXT_BYTES


@pytest.fixture
def table() -> Iterator[SharedTable]:
    table = SharedTable(64)
    yield table
    table.close()


def in_child(body: str) -> subprocess.CompletedProcess[str]:
    """Run in an interpreter of its own, which may fork."""
    start = "import os\nfrom spliceproxy.ipc.shared_table import *\ntable = SharedTable(64)\n"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", start + body],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )


def test_a_new_row_counts_from_zero(table: SharedTable) -> None:
    row = table.claim("one")
    assert list(row.cells) == [0] * CELLS
    assert (row.name, row.text) == ("one", "")


def test_a_name_stands_for_the_same_row(table: SharedTable) -> None:
    table.claim("one").cells[3] += 7
    table.claim("two").cells[3] += 1
    assert [table.claim(name).cells[3] for name in ("one", "two")] == [7, 1]
    assert [row.name for row in table.rows()] == ["one", "two"]


def test_negative_and_large_numbers_fit(table: SharedTable) -> None:
    cells = table.claim("one").cells
    cells[0], cells[CELLS - 1] = -(2**63), 2**63 - 1
    assert list(table.claim("one").cells)[:: CELLS - 1] == [-(2**63), 2**63 - 1]


def test_a_text_is_cut_to_what_fits(table: SharedTable) -> None:
    row = table.claim("one")
    row.text = "refused"
    assert table.claim("one").text == "refused"
    row.text = "x" * 1000
    assert row.text == "x" * MAX_TEXT_BYTES
    row.text = "no"
    assert row.text == "no"


def test_a_full_table_says_so(table: SharedTable) -> None:
    for number in range(64):
        table.claim(f"row {number}")
    with pytest.raises(TableFullError, match="64"):
        table.claim("one more")
    assert table.claim("row 5").name == "row 5"


def test_without_room_one_counts_for_oneself(table: SharedTable) -> None:
    with capture_logs() as log:
        for number in range(64):
            assert table.claim_or_private(f"row {number}").is_shared
        assert log == []
        one, other = (table.claim_or_private("one more") for _ in range(2))
    assert [one.is_shared, other.is_shared] == [False, False]
    one.cells[CELLS - 1] += 7
    one.text = "refused"
    assert (one.name, one.text, one.cells[CELLS - 1]) == ("one more", "refused", 7)
    assert (other.text, other.cells[CELLS - 1]) == ("", 0)
    assert table.find("one more") is None
    assert table.use() == (64, 64, 2)
    (line,) = log
    assert (line["event"], line["rows"]) == ("shared_table_full", 64)
    assert "remedy" in line


@pytest.mark.parametrize("name", ["", "x" * (MAX_NAME_BYTES + 1)])
def test_a_name_that_does_not_fit_is_refused(table: SharedTable, name: str) -> None:
    with pytest.raises(ValueError, match="bytes"):
        table.claim(name)


def test_numbers_outlive_the_process_that_wrote_them() -> None:
    done = in_child(
        "if os.fork() == 0:\n"
        "    table.claim('one').cells[0] += 5\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "print(table.claim('one').cells[0])\n"
    )
    assert done.stdout == "5\n"


def test_processes_that_claim_at_once_get_rows_of_their_own() -> None:
    done = in_child(
        "for child in range(8):\n"
        "    if os.fork() == 0:\n"
        "        for number in range(7):\n"
        "            table.claim(f'{child} {number}').cells[0] += child\n"
        "        table.claim('all')\n"
        "        os._exit(0)\n"
        "for child in range(8):\n"
        "    assert os.wait()[1] == 0\n"
        "rows = {row.name: row.cells[0] for row in table.rows()}\n"
        "expected = {f'{c} {n}': c for c in range(8) for n in range(7)} | {'all': 0}\n"
        "assert rows == expected, rows\n"
    )
    assert not done.stderr
