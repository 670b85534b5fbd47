"""Weights as the statistics socket knows them, in the proxy's own terms."""

from spliceproxy.admin.stats_socket.commands import SetWeight
from spliceproxy.admin.stats_socket.parse import MAX_WEIGHT
from spliceproxy.ipc.description import Description


def absolute_weight(description: Description, command: SetWeight) -> int:
    """Return a weight; a percentage is one of what the server is configured with.

    At least 1, so that a small percentage is no order to drain.
    """
    if not command.percent:
        return command.weight
    configured = next(
        backend.weight
        for route in description.routes
        if route.name == command.server.route
        for backend in route.backends
        if backend.name == command.server.backend
    )
    return min(max(configured * command.weight // 100, 1), MAX_WEIGHT)
