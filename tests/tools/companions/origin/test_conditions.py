"""The order of RFC 9110, 13.2.2, as a table."""

import pytest

from tools.companions.origin.conditions import Verdict, judge, range_applies
from tools.companions.origin.validators import FileVersion, format_date, parse_date

MODIFIED_S = 1_700_000_000
VERSION = FileVersion(device=1, inode=2, mtime_ns=MODIFIED_S * 10**9 + 5, size_bytes=3)
SAME, OTHER = VERSION.etag, '"other"'
THEN, BEFORE, AFTER = map(format_date, (MODIFIED_S, MODIFIED_S - 1, MODIFIED_S + 1))
PROCEED, NOT_MODIFIED, FAILED = Verdict.PROCEED, Verdict.NOT_MODIFIED, Verdict.FAILED


@pytest.mark.parametrize(
    ("headers", "verdict"),
    [
        ({}, PROCEED),
        ({"if-match": SAME}, PROCEED),
        ({"if-match": "*"}, PROCEED),
        ({"if-match": f"{OTHER}, {SAME}"}, PROCEED),
        ({"if-match": OTHER}, FAILED),
        ({"if-match": f"W/{SAME}"}, FAILED),
        ({"if-match": ""}, FAILED),
        ({"if-unmodified-since": THEN}, PROCEED),
        ({"if-unmodified-since": BEFORE}, FAILED),
        ({"if-unmodified-since": "yesterday"}, PROCEED),
        ({"if-match": SAME, "if-unmodified-since": BEFORE}, PROCEED),
        ({"if-none-match": SAME}, NOT_MODIFIED),
        ({"if-none-match": f"W/{SAME}"}, NOT_MODIFIED),
        ({"if-none-match": "*"}, NOT_MODIFIED),
        ({"if-none-match": f'"a,b", {SAME}'}, NOT_MODIFIED),
        ({"if-none-match": OTHER}, PROCEED),
        ({"if-modified-since": THEN}, NOT_MODIFIED),
        ({"if-modified-since": AFTER}, NOT_MODIFIED),
        ({"if-modified-since": BEFORE}, PROCEED),
        ({"if-modified-since": "yesterday"}, PROCEED),
        ({"if-none-match": OTHER, "if-modified-since": THEN}, PROCEED),
        ({"if-match": OTHER, "if-none-match": SAME}, FAILED),
        ({"if-match": SAME, "if-none-match": SAME}, NOT_MODIFIED),
        ({"if-unmodified-since": BEFORE, "if-modified-since": THEN}, FAILED),
    ],
)
def test_preconditions_in_their_order(headers: dict[str, str], verdict: Verdict) -> None:
    assert judge(headers, VERSION) is verdict


@pytest.mark.parametrize(
    ("validator", "age_s", "applies"),
    [
        (SAME, 0, True),
        (OTHER, 0, False),
        (f"W/{SAME}", 0, False),
        (THEN, 10, True),
        (THEN, 1, False),
        (BEFORE, 10, False),
        (AFTER, 10, False),
        ("nonsense", 10, False),
    ],
)
def test_if_range_wants_this_very_version(validator: str, age_s: int, applies: bool) -> None:
    assert range_applies({"if-range": validator}, VERSION, MODIFIED_S + age_s) is applies


def test_without_if_range_a_range_applies() -> None:
    assert range_applies({}, VERSION, MODIFIED_S)


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ],
)
def test_the_three_forms_of_a_date(text: str) -> None:
    assert parse_date(text) == 784_111_777


@pytest.mark.parametrize("text", ["", "0", "Sun, 06 Nov 1994 08:49:37 +0100", "Sun, 99 Nov 1994"])
def test_no_date(text: str) -> None:
    assert parse_date(text) is None


def test_a_version_differs_by_inode_time_and_size() -> None:
    others = [
        FileVersion(1, 3, VERSION.mtime_ns, 3),
        FileVersion(1, 2, VERSION.mtime_ns + 1, 3),
        FileVersion(1, 2, VERSION.mtime_ns, 4),
    ]
    assert len({VERSION.etag, *(other.etag for other in others)}) == 4
