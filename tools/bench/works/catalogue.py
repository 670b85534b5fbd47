"""The works that can be asked for, by name and in the order in which they run."""

from tools.bench.works import bulk, growth, idle, request_response, short
from tools.bench.works.work import Work


def catalogue(idle_connections: int, growth_steps: tuple[int, ...]) -> dict[str, Work]:
    # Short connections come last: they leave sockets in TIME_WAIT for a minute, and those would
    # blur the memory figures of the others.
    works = [
        idle.work(idle_connections),
        growth.work(growth_steps),
        bulk.work(1),
        bulk.work(8),
        request_response.work(1),
        request_response.work(50),
        request_response.work(500),
        short.work(),
    ]
    return {work.name: work for work in works}
