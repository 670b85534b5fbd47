"""What is wrong between the parts of a route that can all be read, told at its position."""

from spliceproxy.routes_file.load import read_settings

FILE = b"""\
routes:
- listen: 8080
  backends: [10.0.0.1:80, 127.0.0.1:8080]
"""


def test_the_position_is_the_backends() -> None:
    settings, (mistake,) = read_settings(FILE, {})
    assert settings is None
    assert (mistake.position.line, mistake.position.column) == (3, 27)
    assert "leads back to this route" in mistake.line("routes.yaml")


def test_answers_that_would_be_recorded_nowhere_are_told_at_their_key() -> None:
    settings, (mistake,) = read_settings(
        b"""\
routes:
- listen: 8080
  backends: [10.0.0.1:80]
  mirrors:
  - capture:/a
  - to: tcp://10.0.0.2:80
    answers: capture:/b
""",
        {},
    )
    assert settings is None
    assert (mistake.position.line, mistake.path) == (7, "routes[0].mirrors[1].answers")
    assert "expected that of 'capture:/a'" in mistake.line("routes.yaml")
