"""Conditional requests: what the validators of a request make of its answer (RFC 9110, 13)."""

import re
from collections.abc import Mapping
from enum import Enum, auto

from tools.companions.origin.validators import FileVersion, parse_date

_ENTITY_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_STRONG_AFTER_S = 1  # an mtime that old can not have been that of two versions (8.8.2.2)


class Verdict(Enum):
    """What is left to do after the conditions."""

    PROCEED = auto()
    NOT_MODIFIED = auto()
    FAILED = auto()


def judge(headers: Mapping[str, str], version: FileVersion) -> Verdict:
    """Evaluate the preconditions of a GET or HEAD in the order of 13.2.2, If-Range aside.

    A date that cannot be read is as if it were not there (13.1.3, 13.1.4).
    """
    if not _may_change(headers, version):
        return Verdict.FAILED
    return Verdict.PROCEED if _has_changed(headers, version) else Verdict.NOT_MODIFIED


def _may_change(headers: Mapping[str, str], version: FileVersion) -> bool:
    """If-Match, or without it If-Unmodified-Since."""
    if (tags := headers.get("if-match")) is not None:
        return _lists(tags, version.etag, is_strong=True)
    limit_s = _date(headers, "if-unmodified-since")
    return limit_s is None or version.modified_s <= limit_s


def _has_changed(headers: Mapping[str, str], version: FileVersion) -> bool:
    """If-None-Match, or without it If-Modified-Since."""
    if (tags := headers.get("if-none-match")) is not None:
        return not _lists(tags, version.etag, is_strong=False)
    known_s = _date(headers, "if-modified-since")
    return known_s is None or version.modified_s > known_s


def range_applies(headers: Mapping[str, str], version: FileVersion, now_s: float) -> bool:
    """Whether If-Range, if there is one, names this very version (13.1.5); `now_s` is the time."""
    validator = headers.get("if-range")
    if validator is None:
        return True
    if _ENTITY_TAG.fullmatch(validator):
        return validator == version.etag  # a weak one never equals it
    is_strong = now_s - version.modified_s > _STRONG_AFTER_S
    return is_strong and parse_date(validator) == version.modified_s


def _date(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name)
    return None if text is None else parse_date(text)


def _lists(field: str, etag: str, *, is_strong: bool) -> bool:
    """Whether a list of entity tags, or the star, holds this one."""
    if field.strip() == "*":
        return True
    return any(
        match[2] == etag and not (is_strong and match[1]) for match in _ENTITY_TAG.finditer(field)
    )
