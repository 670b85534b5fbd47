"""A HAProxy with a front and a back that the test writes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.servers import serving

CONFIGURATION = """\
defaults
    mode tcp
    timeout connect 5s
    timeout client 20s
    timeout server 20s
"""


@contextmanager
def haproxy_peer(
    program: Callable[[str], str], directory: Path, port: int, sections: str
) -> Iterator[None]:
    """Run HAProxy with these sections, one of which listens at `port`, until the block ends."""
    configuration = directory / f"haproxy-{port}.cfg"
    configuration.write_text(CONFIGURATION + sections)
    argv = [program("haproxy"), "-db", "-f", str(configuration)]
    with serving(argv, port, directory / f"haproxy-{port}.log"):
        yield
