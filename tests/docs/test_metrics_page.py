from tools.documentation.metrics import PAGE, metric_families, page


def test_the_page_says_what_the_proxy_tells() -> None:
    assert PAGE.read_text() == page(), "stale: run python -m tools.documentation.metrics"


def test_every_metric_is_described() -> None:
    for family in metric_families():
        assert family.samples, family.name
        assert family.documentation.endswith("."), family.name
