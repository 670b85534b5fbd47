from tools.documentation.options import PAGE, page


def test_the_page_says_what_the_command_takes() -> None:
    assert PAGE.read_text() == page(), "stale: run python -m tools.documentation.options"
