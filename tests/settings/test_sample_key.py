import pytest

from spliceproxy.settings.sample_key import parse_sample_key


@pytest.mark.parametrize("text", ["0123456789abcdef", "file:/etc/a b.key", "ä" * 16])
def test_what_is_one(text: str) -> None:
    assert parse_sample_key(text) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hush-hush", "is no key: expected 16 or more characters"),
        ("file:", "'file:' is no file"),
        ("file:key", "'file:key' is no file: expected one such as"),
        ("file:/a\n", "is no file"),
    ],
)
def test_what_is_none(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        parse_sample_key(text)
    assert "hush" not in str(refused.value)
