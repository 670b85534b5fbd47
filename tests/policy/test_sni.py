import pytest
from hypothesis import given
from hypothesis import strategies as st

from spliceproxy.policy.sni import SniTable, normalise_pattern

TABLE = SniTable(
    {
        "example.org": "apex",
        "*.example.org": "below",
        "www.example.org": "www",
        "*.deep.example.org.": "deep",
        "BÜCHER.example": "books",
    },
    {b"h2": "http", b"postgresql": "database"},
    "rest",
)


@pytest.mark.parametrize(
    ("name", "protocols", "value"),
    [
        ("example.org", [], "apex"),
        ("www.example.org", [], "www"),
        ("WWW.Example.ORG.", [], "www"),
        ("mail.example.org", [], "below"),
        ("a.b.example.org", [], "below"),
        ("deep.example.org", [], "below"),
        ("a.deep.example.org", [], "deep"),
        ("notexample.org", [], "rest"),
        (".example.org", [], "below"),
        ("xn--bcher-kva.example", [], "books"),
        ("www.example.org", [b"h2"], "www"),  # the name comes first
        ("other.example", [b"h2"], "http"),
        (None, [b"h2"], "http"),
        (None, [b"http/1.1", b"postgresql", b"h2"], "database"),  # the client's order
        (None, [b"http/1.1"], "rest"),
        (None, [], "rest"),
        ("", [], "rest"),
        (".", [], "rest"),
        ("*.example.org", [], "below"),
    ],
)
def test_lookup(name: str | None, protocols: list[bytes], value: str) -> None:
    assert TABLE.lookup(name, protocols) == value


@given(
    st.text(max_size=255) | st.lists(st.sampled_from(["a", "deep", "example", "org"])).map(".".join)
)
def test_any_name_has_a_value(name: str) -> None:
    value = TABLE.lookup(name)
    plain = name.lower().removesuffix(".")
    assert (value in ("apex", "www", "below", "deep")) == (
        plain == "example.org" or plain.endswith(".example.org")
    )


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        ".",
        "*",
        "*.",
        "*.*.org",
        "a*.org",
        "a..b",
        "-a.org",
        "a b",
        "a/b",
        "ü" * 64,
        "a." * 127 + "a",
        "\ud800",
    ],
)
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ValueError, match="not a server name"):
        normalise_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "normal"),
    [("Example.ORG.", "example.org"), ("*.Bücher.example", "*.xn--bcher-kva.example")],
)
def test_patterns_have_one_spelling(pattern: str, normal: str) -> None:
    assert normalise_pattern(pattern) == normal


def test_a_long_pattern_takes_no_long_time() -> None:
    with pytest.raises(ValueError, match="not a server name"):
        normalise_pattern("ü" * 1_000_000)


def test_a_name_has_one_value() -> None:
    SniTable({"a.org": 1, "A.org": 1, "*.a.org": 2}, {}, 0)
    with pytest.raises(ValueError, match="two values"):
        SniTable({"a.org": 1, "A.org.": 2}, {}, 0)
