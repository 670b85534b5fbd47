"""A route that leads back to itself is a mistake, told at its backend."""

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
